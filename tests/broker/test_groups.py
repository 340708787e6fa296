"""What the group coordinator takes over of the broker's settings, at the start and live."""

from __future__ import annotations

import pytest

from godel.broker.groups import group_settings
from godel.clock import ManualClock
from godel.config.broker import BrokerConfig
from godel.errors import ErrorCode
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from godel.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.disks import SlowDisk
from tests.wire import Client, batch


def test_every_setting_follows_the_configuration() -> None:
    changed = group_settings(
        BrokerConfig().replaced(
            {
                "group.min.session.timeout.ms": "1",
                "group.max.session.timeout.ms": "2",
                "group.initial.rebalance.delay.ms": "3",
                "group.max.size": "4",
                "offset.metadata.max.bytes": "5",
                "offsets.retention.minutes": "6",
                "offsets.retention.check.interval.ms": "7",
                "offsets.commit.timeout.ms": "8",
            }
        )
    )
    assert (changed.group_min_session_timeout_ms, changed.group_max_session_timeout_ms) == (1, 2)
    assert (changed.group_initial_rebalance_delay_ms, changed.group_max_size) == (3, 4)
    assert (changed.offset_metadata_max_bytes, changed.offsets_retention_ms) == (5, 360_000)
    assert changed.offsets_retention_check_interval_ms == 7
    assert changed.offsets_commit_timeout_ms == 8
    default = group_settings(BrokerConfig())
    unchanged = [
        name for name, value in changed._asdict().items() if value == getattr(default, name)
    ]
    assert unchanged == ["new_member_join_timeout_ms", "pending_members_max", "parked_max"]


def test_without_an_offsets_topic_nothing_is_coordinated(broker: Broker, client: Client) -> None:
    answer = client.send(HeartbeatRequest(group_id="g", generation_id=1, member_id="m"))
    assert answer.error_code == 16, "NOT_COORDINATOR"
    assert broker.run(lambda node: list(node.broker.partitions())) == []


# -- through the whole broker ----------------------------------------------------------------------


def find_coordinator(client: Client) -> None:
    request = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])
    assert client.send(request).coordinators[0].error_code == 0


def commit_request(offset: int, topic: str = "t") -> OffsetCommitRequest:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topics = [OffsetCommitRequestTopic(name=topic, partitions=[partition])]
    return OffsetCommitRequest(
        group_id="g", generation_id_or_member_epoch=-1, member_id="", topics=topics
    )


def committed(client: Client) -> dict[str, int]:
    """What group `g` has committed, by topic."""
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
    (group,) = client.send(request).groups
    assert group.error_code == 0
    return {topic.name: topic.partitions[0].committed_offset for topic in group.topics}


def join(client: Client, member_id: str = "", protocol: str = "range") -> JoinGroupResponse:
    protocols = [JoinGroupRequestProtocol(name=protocol, metadata=b"subscription")]
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=protocols,
    )
    response: JoinGroupResponse = client.send(request)
    return response


def test_a_commit_is_answered_when_it_is_synced() -> None:
    disk = SlowDisk()
    broker = Broker({"write.caching": False}, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client, Client(broker) as other:
        client.create("t")
        find_coordinator(client)
        assert client.send(commit_request(1)).topics[0].partitions[0].error_code == 0
        disk.hold()
        client.post(commit_request(2))
        assert disk.sync_has_begun()
        other.describe("t")
        assert client.is_silent()
        disk.let_all()
        answer = client.take(OffsetCommitResponse)
        assert answer.topics[0].partitions[0].error_code == 0
        broker.crash()
    with broker, Client(broker) as client:
        assert committed(client) == {"t": 2}


def test_write_caching_of_the_broker_is_that_of_commits_unless_their_topic_has_its_own() -> None:
    disk = SlowDisk()
    broker = Broker({"write.caching": True}, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t")
        find_coordinator(client)
        disk.hold()
        assert client.send(commit_request(1)).topics[0].partitions[0].error_code == 0
        disk.let_all()
        client.alter("__consumer_offsets", {"write.caching": False})
        disk.hold()
        client.post(commit_request(2))
        assert disk.sync_has_begun()
        assert client.is_silent()
        disk.let_all()
        assert client.take(OffsetCommitResponse).topics[0].partitions[0].error_code == 0


def test_a_commit_that_is_not_synced_in_time_is_told_so() -> None:
    disk = SlowDisk()
    settings = {"write.caching": False, "offsets.commit.timeout.ms": 5000}
    broker = Broker(settings, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t")
        find_coordinator(client)
        disk.hold()
        client.post(commit_request(2))
        assert disk.sync_has_begun()
        broker.advance(5000)
        answer = client.take(OffsetCommitResponse)
        code = answer.topics[0].partitions[0].error_code
        assert code == ErrorCode.COORDINATOR_NOT_AVAILABLE, "retriable"
        disk.let_all()


@pytest.mark.parametrize("crashes", [False, True])
def test_groups_and_their_members_survive_a_restart(crashes: bool) -> None:
    disk = FaultyFiles()
    broker = Broker({"write.caching": False}, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t")
        client.create("gone")
        find_coordinator(client)
        for topic in ("t", "gone"):
            client.send(commit_request(7, topic))
        member_id = join(client).member_id
        joined = join(client, member_id)
        assert (joined.error_code, joined.generation_id) == (0, 1)
        assignment = SyncGroupRequestAssignment(member_id=member_id, assignment=b"all of it")
        sync = SyncGroupRequest(
            group_id="g",
            generation_id=1,
            member_id=member_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[assignment],
        )
        assert client.send(sync).assignment == b"all of it"
        client.delete("gone")
        assert committed(client) == {"t": 7}
        if crashes:
            broker.crash()
    with broker, Client(broker) as client:
        find_coordinator(client)
        beat = HeartbeatRequest(group_id="g", generation_id=1, member_id=member_id)
        assert client.send(beat).error_code == 0
        sync.assignments = []
        assert client.send(sync).assignment == b"all of it"
        assert committed(client) == {"t": 7}
        broker.advance(10_001)
        assert client.send(beat).error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_partition_of_the_offsets_topic_that_fails_takes_its_groups_along() -> None:
    disk = FaultyFiles()
    broker = Broker({"write.caching": False}, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t")
        find_coordinator(client)
        assert client.send(commit_request(1)).topics[0].partitions[0].error_code == 0
        disk.fail(lambda op: op.kind is Kind.SYNC and "__consumer_offsets" in op.path)
        for _ in range(2):
            answer = client.send(commit_request(2))
            assert answer.topics[0].partitions[0].error_code == ErrorCode.NOT_COORDINATOR
        assert client.produce("t", batch("a")).error_code == 0
    disk.faults = None
    with broker, Client(broker) as client:
        find_coordinator(client)
        assert committed(client)["t"] in (1, 2)
        assert client.send(commit_request(3)).topics[0].partitions[0].error_code == 0
