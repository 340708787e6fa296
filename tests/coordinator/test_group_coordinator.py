"""The coordinator's face: which shard, which error, what is listed."""

from __future__ import annotations

import pytest
import structlog

from godel.clock import ManualClock, Randomness
from godel.coordinator.decision import Caller
from godel.coordinator.group_coordinator import GroupCoordinator, java_hash
from godel.coordinator.settings import GroupSettings
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from godel.protocol.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from godel.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from godel.records.builder import build_batch
from tests.coordinator.memory_log import MemoryLog

pytestmark = pytest.mark.anyio

CALLER = Caller(9, "client", "/127.0.0.1")


class Setup:
    def __init__(self, partitions: int = 50, **settings: int) -> None:
        self.clock = ManualClock()
        self.logs: dict[int, MemoryLog] = {}
        self.partitions = partitions
        self.groups = self.coordinator(**settings)

    def coordinator(self, **settings: int) -> GroupCoordinator:
        return GroupCoordinator(
            GroupSettings(group_initial_rebalance_delay_ms=0, **settings),
            clock=self.clock,
            randomness=Randomness(1),
            open_log=lambda partition: self.logs.setdefault(partition, MemoryLog()),
            partition_count=lambda: self.partitions,
            log=structlog.get_logger(),
        )

    def load(self) -> Setup:
        self.groups.load()
        self.clock.advance(0)
        return self

    def commit(self, group_id: str, offset: int = 1, **fields: object) -> OffsetCommitResponse:
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        topics = [OffsetCommitRequestTopic(name=name, partitions=[partition]) for name in "tu"]
        request = OffsetCommitRequest(group_id=group_id, topics=topics, **fields)  # type: ignore[arg-type]  # any field
        reply = self.groups.commit_offsets(request, CALLER, lambda topic, _: topic == "t")
        assert isinstance(reply, OffsetCommitResponse)
        return reply

    def fetch(self, *group_ids: str) -> list[tuple[ErrorCode, list[int]]]:
        reply = self.groups.fetch_offsets([(group_id, None) for group_id in group_ids])
        assert isinstance(reply, list)
        return [
            (
                group.error_code,
                [one.offset for _, partitions in group.topics for _, one in partitions if one],
            )
            for group in reply
        ]


def join(member_id: str = "", group_id: str = "g", session_ms: int = 10_000) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group_id,
        session_timeout_ms=session_ms,
        rebalance_timeout_ms=60_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


def codes(response: OffsetCommitResponse) -> list[ErrorCode]:
    return [ErrorCode(p.error_code) for topic in response.topics for p in topic.partitions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a", 97), ("ab", 3105), ("hello", 99162322), ("ü", 252), ("😀", 1772899)],
)
def test_java_hash(text: str, expected: int) -> None:
    assert java_hash(text) == expected


async def test_the_sign_bit_is_cleared_for_the_partition() -> None:
    setup = Setup().load()
    assert java_hash("polygenelubricants") == 0x80000000, "Java's Integer.MIN_VALUE"
    assert setup.groups.partition_for("polygenelubricants") == 0
    assert setup.groups.partition_for("hello") == 99162322 % 50
    assert setup.groups.partition_for("ab") == 5


async def test_records_go_to_the_group_s_partition() -> None:
    setup = Setup().load()
    setup.commit("ab")
    assert [index for index, log in setup.logs.items() if log.batches] == [5]


async def test_an_empty_group_id() -> None:
    groups = Setup().load().groups
    invalid = ErrorCode.INVALID_GROUP_ID
    joined = groups.join_group(join(group_id=""), CALLER)
    assert isinstance(joined, JoinGroupResponse)
    assert joined.error_code == invalid
    assert groups.sync_group(SyncGroupRequest()) == SyncGroupResponse(error_code=invalid)
    assert groups.heartbeat(HeartbeatRequest()) is invalid
    left = groups.leave_group(LeaveGroupRequest(), CALLER)
    assert left == LeaveGroupResponse(error_code=invalid)


async def test_offsets_of_the_empty_group_id_are_kept() -> None:
    """For old clients, as in Kafka."""
    setup = Setup().load()
    assert codes(setup.commit(""))[0] is ErrorCode.NONE
    assert setup.fetch("") == [(ErrorCode.NONE, [1])]


async def test_before_the_offsets_topic_exists() -> None:
    setup = Setup()
    nobody = ErrorCode.NOT_COORDINATOR
    joined = setup.groups.join_group(join(), CALLER)
    assert isinstance(joined, JoinGroupResponse)
    assert joined.error_code == nobody
    assert codes(setup.commit("g")) == [nobody, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert setup.fetch("g") == [(nobody, [])]
    assert setup.groups.list_groups([], []) == (ErrorCode.NONE, [])
    described = setup.groups.describe_groups(["g"], CALLER)
    assert isinstance(described, list)
    assert described[0].error_code == nobody
    setup.groups.topics_deleted(["t"])


async def test_while_a_shard_is_loading() -> None:
    setup = Setup(partitions=1)
    setup.logs[0] = MemoryLog()
    many = [(b"\0\x63ignored", b"")] * 10_000
    setup.logs[0].batches = [build_batch(many, timestamp_ms=0)]
    setup.groups.load()
    loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    joined = setup.groups.join_group(join(), CALLER)
    assert isinstance(joined, JoinGroupResponse)
    assert joined.error_code == loading
    synced = setup.groups.sync_group(SyncGroupRequest(group_id="g"))
    assert synced == SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)
    assert setup.groups.heartbeat(HeartbeatRequest(group_id="g")) is ErrorCode.NONE
    assert setup.groups.list_groups([], []).error_code is loading
    assert setup.fetch("g") == [(loading, [])]
    setup.clock.advance(0)
    assert setup.fetch("g") == [(ErrorCode.NONE, [])]


async def test_error_codes_of_a_failing_log() -> None:
    setup = Setup(partitions=1).load()
    setup.logs[0].append_error = ApiError(ErrorCode.MESSAGE_TOO_LARGE)
    assert codes(setup.commit("g"))[0] is ErrorCode.INVALID_COMMIT_OFFSET_SIZE
    setup.logs[0].append_error = ApiError(ErrorCode.KAFKA_STORAGE_ERROR)
    assert codes(setup.commit("g"))[0] is ErrorCode.NOT_COORDINATOR
    assert setup.fetch("g") == [(ErrorCode.NONE, [])]


async def test_list_filters_ignore_case() -> None:
    setup = Setup().load()
    setup.commit("offsets-only")
    setup.groups.join_group(join(), Caller(3, "c", "/::1"))

    def listed(states: list[str], types: list[str]) -> list[tuple[str, str, str, str]]:
        return sorted(
            (g.group_id, g.protocol_type, g.group_state, g.group_type)
            for g in setup.groups.list_groups(states, types).groups
        )

    stable = ("g", "consumer", "CompletingRebalance", "classic")
    empty = ("offsets-only", "", "Empty", "classic")
    assert listed([], []) == [stable, empty]
    assert listed(["EMPTY"], ["Classic"]) == [empty]
    assert listed(["completingrebalance", "empty"], []) == [stable, empty]
    assert listed(["Nonsense"], []) == []
    assert listed([], ["consumer"]) == []


async def test_deleting_answers_per_group() -> None:
    setup = Setup().load()
    setup.commit("a")
    setup.groups.join_group(join(), Caller(3, "c", "/::1"))
    deleted = setup.groups.delete_groups(["a", "g", "nobody", "a"])
    assert isinstance(deleted, list)
    assert [(r.group_id, r.error_code, r.error_message) for r in deleted] == [
        ("a", ErrorCode.NONE, None),
        ("g", ErrorCode.NON_EMPTY_GROUP, "Group g has members."),
        ("nobody", ErrorCode.GROUP_ID_NOT_FOUND, "Group nobody not found."),
    ]


async def test_deleted_topics_lose_their_offsets_in_every_shard() -> None:
    setup = Setup().load()
    setup.commit("a")
    setup.commit("b")
    setup.groups.topics_deleted(["t"])
    assert setup.fetch("a", "b") == [(ErrorCode.NONE, []), (ErrorCode.NONE, [])]


async def test_a_new_coordinator_finds_everything_in_the_logs() -> None:
    setup = Setup().load()
    setup.commit("a", 7)
    setup.groups.close()
    assert setup.fetch("a") == [(ErrorCode.NOT_COORDINATOR, [])]
    setup.groups = setup.coordinator()
    setup.load()
    assert setup.fetch("a") == [(ErrorCode.NONE, [7])]


async def test_settings_can_be_replaced() -> None:
    setup = Setup().load()

    def join_error() -> int:
        reply = setup.groups.join_group(join(session_ms=1_000), CALLER)
        assert isinstance(reply, JoinGroupResponse)
        return reply.error_code

    assert join_error() == ErrorCode.INVALID_SESSION_TIMEOUT
    setup.groups.configure(GroupSettings(group_min_session_timeout_ms=1))
    assert join_error() == ErrorCode.MEMBER_ID_REQUIRED


async def test_a_client_id_of_any_length_makes_a_member_id_that_can_be_sent() -> None:
    setup = Setup().load()
    reply = setup.groups.join_group(join(), Caller(9, "ü" * 32_000, "/::1"))
    assert isinstance(reply, JoinGroupResponse)
    assert len(reply.member_id.encode()) < 32_767


async def test_deleted_offsets_stay_deleted_after_a_restart() -> None:
    setup = Setup().load()
    assert setup.commit("g").topics[0].partitions[0].error_code == 0
    assert setup.fetch("g") == [(ErrorCode.NONE, [1])]
    partition = OffsetDeleteRequestPartition(0)
    request = OffsetDeleteRequest("g", [OffsetDeleteRequestTopic("t", [partition])])
    reply = setup.groups.delete_offsets(request, lambda _topic, _index: True)
    assert isinstance(reply, OffsetDeleteResponse)
    assert reply.error_code == 0
    setup.groups.close()
    setup.groups = setup.coordinator()
    assert setup.load().fetch("g") == [(ErrorCode.NONE, [])]
