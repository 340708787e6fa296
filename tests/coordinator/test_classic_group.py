"""Checks of a classic group that the stories in `scenarios/` do not tell."""

from __future__ import annotations

import pytest

from godel.clock import Randomness
from godel.coordinator.classic_group import ClassicGroup
from godel.coordinator.classic_states import ClassicGroupState
from godel.coordinator.decision import Caller, Instant, Parked
from godel.coordinator.draft import GroupEnvironment
from godel.coordinator.offsets import CommittedOffset
from godel.coordinator.records import GroupRecord
from godel.coordinator.settings import GroupSettings
from godel.errors import ErrorCode
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from godel.protocol.messages.sync_group import SyncGroupRequest
from tests.coordinator.transcript import subscription

NOW = Instant(1_000, 0.0)
CALLER = Caller(3, "c", "/::1")
COMMITTED = CommittedOffset(offset=1, leader_epoch=0, metadata="", commit_ms=77, expire_ms=None)


def group_of_one(metadata: bytes = b"", protocol_type: str = "consumer") -> ClassicGroup:
    """Its only member leads generation 1 and has its assignment."""
    settings = GroupSettings(group_initial_rebalance_delay_ms=0)
    group = ClassicGroup("g", GroupEnvironment(settings, Randomness(1)))
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=60_000,
        protocol_type=protocol_type,
        protocols=[JoinGroupRequestProtocol(name="range", metadata=metadata)],
    )
    joined = group.join(request, CALLER, NOW).reply
    assert not isinstance(joined, Parked)
    synced = group.sync(
        SyncGroupRequest(group_id="g", generation_id=1, member_id=joined.member_id), NOW
    )
    (record,) = synced.records
    assert isinstance(record, GroupRecord)
    assert record.value is not None
    group.apply(record.value)
    return group


def test_a_decision_with_records_can_be_undone() -> None:
    group = group_of_one()
    (member,) = group.members
    before = group.describe()
    deadline_ms = group.next_deadline_ms()
    decision = group.expire(Instant(20_000, 20_000.0))
    assert decision.records
    assert group.members == {}
    assert decision.undo is not None
    decision.undo()
    assert group.describe() == before
    assert group.leader == member
    assert group.next_deadline_ms() == 21_000.0 != deadline_ms, "tried again a little later"


def test_offsets_in_use_do_not_grow_old() -> None:
    reads_t = group_of_one(subscription(["t"])).retention_base()
    assert (reads_t("t", COMMITTED), reads_t("u", COMMITTED)) == (None, 77)
    unreadable = group_of_one(b"?").retention_base()
    assert unreadable("u", COMMITTED) is None
    connect = group_of_one(subscription(["t"]), protocol_type="connect").retention_base()
    assert connect("u", COMMITTED) is None


def test_the_offsets_of_groups_without_members_grow_old() -> None:
    settings = GroupSettings()
    simple = ClassicGroup("g", GroupEnvironment(settings, Randomness(1)))
    assert simple.retention_base()("t", COMMITTED) == 77
    group = group_of_one()
    decision = group.expire(Instant(20_000, 20_000.0))
    (record,) = decision.records
    assert isinstance(record, GroupRecord)
    assert record.value is not None
    group.apply(record.value)
    assert group.state is ClassicGroupState.EMPTY
    assert group.retention_base()("t", COMMITTED) == 20_000


@pytest.mark.parametrize(
    ("generation", "expected"),
    [(1, ErrorCode.NONE), (0, ErrorCode.ILLEGAL_GENERATION), (-1, ErrorCode.ILLEGAL_GENERATION)],
)
def test_a_member_s_commit_needs_its_generation(generation: int, expected: ErrorCode) -> None:
    group = group_of_one()
    (member,) = group.members
    assert group.check_commit(member, None, generation) is expected
    assert group.check_commit(member, "i", generation) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_state_is_left_only_along_the_table() -> None:
    group = group_of_one()
    with pytest.raises(AssertionError):
        group._transition(ClassicGroupState.EMPTY)
