"""A shard's bookkeeping that the stories in `scenarios/` do not tell."""

from __future__ import annotations

from godel.clock import Randomness
from godel.coordinator.decision import Caller, Instant
from godel.coordinator.draft import GroupEnvironment
from godel.coordinator.group_shard import RECORDS_MAX, GroupShard
from godel.coordinator.offsets import commit_record
from godel.coordinator.records import OffsetRecord
from godel.coordinator.settings import GroupSettings
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from godel.protocol.messages.offset_commit import OffsetCommitRequestPartition

NOW = Instant(1_000, 0.0)


def loaded(offsets: int = 0, **settings: int) -> GroupShard:
    shard = GroupShard(GroupEnvironment(GroupSettings(**settings), Randomness(1)))
    for index in range(offsets):
        partition = OffsetCommitRequestPartition(partition_index=index, committed_offset=index)
        shard.apply(commit_record("g", "t", partition, now_ms=0, retention_time_ms=-1))
    shard.loaded(NOW)
    return shard


def join(group_id: str, member_id: str = "") -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group_id,
        session_timeout_ms=10_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range")],
    )


def test_an_offset_makes_its_group_known() -> None:
    assert list(loaded(offsets=1).groups) == ["g"]


def test_a_refused_join_leaves_no_group_behind() -> None:
    shard = loaded()
    for request in (join("g", "nobody"), JoinGroupRequest(group_id="g", session_timeout_ms=10_000)):
        shard.join(request, Caller(9, "c", "/::1"), NOW)
    assert shard.groups == {}


def test_deadlines_of_many_groups_come_in_order() -> None:
    shard = loaded()
    for at, group_id in ((0.0, "a"), (5.0, "b"), (9.0, "c")):
        shard.join(join(group_id), Caller(9, "c", "/::1"), Instant(0, at))
    assert shard.next_deadline_ms() == 10_000.0
    assert shard.expire(Instant(0, 10_004.0)) is not None
    assert shard.groups["a"].pending == set()
    assert shard.expire(Instant(0, 10_004.0)) is None
    assert shard.next_deadline_ms() == 10_005.0


def test_many_tombstones_come_in_pieces() -> None:
    shard = loaded(offsets=2 * RECORDS_MAX + 1)
    sizes = []
    more = True
    while more:
        decision = shard.delete_topics(frozenset({"t"}))
        sizes.append(len(decision.records))
        for record in decision.records:
            assert isinstance(record, OffsetRecord)
            shard.apply(record)
        more = decision.reply is True
    assert sizes == [RECORDS_MAX, RECORDS_MAX, 1]


def test_a_failed_look_for_old_offsets_comes_again() -> None:
    shard = loaded(offsets=1, offsets_retention_ms=1)
    later = Instant(700_000, 600_000.0)
    decision = shard.expire(later)
    assert decision is not None
    assert len(decision.records) == 2, "the offset and the group"
    assert decision.undo is not None
    decision.undo()
    assert shard.expire(later) is None
    assert shard.next_deadline_ms() == 1_200_000.0
    again = shard.expire(Instant(1_300_000, 1_200_000.0))
    assert again is not None
    assert len(again.records) == 2
