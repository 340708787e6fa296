"""Which leader epoch began where, and what OffsetForLeaderEpoch is told of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from godel.broker.leader_epochs import EpochEnd, LeaderEpochs
from godel.records.partition_log import EpochStart

UNKNOWN = EpochEnd(-1, -1)


def epochs(*entries: tuple[int, int]) -> LeaderEpochs:
    return LeaderEpochs(EpochStart(*entry) for entry in entries)


def test_an_epoch_begins_once_and_replaces_those_without_records() -> None:
    known = epochs((1, 0), (3, 5), (4, 9))
    assert not known.begin(4, 12)
    assert not known.begin(2, 12)
    assert known.begin(6, 9)
    assert known.entries == [(1, 0), (3, 5), (6, 9)]
    assert known.latest == 6
    assert known.begin(7, 5)
    assert known.entries == [(1, 0), (7, 5)]


def test_the_epoch_of_an_offset() -> None:
    known = epochs((1, 3), (4, 7))
    assert [known.at(offset) for offset in (0, 2, 3, 6, 7, 100)] == [-1, -1, 1, 1, 4, 4]
    assert epochs().at(0) == -1


def test_a_new_log_start_forgets_epochs_that_ended_before() -> None:
    known = epochs((1, 0), (2, 5), (3, 9))
    assert not known.truncate_prefix(0)
    assert known.truncate_prefix(4)
    assert known.entries == [(1, 4), (2, 5), (3, 9)]
    assert known.truncate_prefix(5)
    assert known.entries == [(2, 5), (3, 9)]
    assert known.truncate_prefix(20)
    assert known.entries == [(3, 20)], "the latest is kept"
    assert not epochs().truncate_prefix(5)


def test_ends() -> None:
    known = epochs((2, 4), (5, 9))

    def end(epoch: int) -> EpochEnd:
        return known.end_of(epoch, leader_epoch=7, end_offset=12)

    assert end(-1) == UNKNOWN
    assert end(1) == (1, 4)
    assert end(2) == end(3) == end(4) == (2, 9)
    assert end(5) == end(6) == (5, 12)
    assert end(7) == (7, 12)
    assert end(8) == UNKNOWN


def test_ends_in_a_log_without_records() -> None:
    assert epochs().end_of(0, leader_epoch=3, end_offset=0) == (0, 0)
    assert epochs().end_of(3, leader_epoch=3, end_offset=0) == (3, 0)
    assert epochs().end_of(4, leader_epoch=3, end_offset=0) == UNKNOWN


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), max_size=8), st.integers(0, 30))
def test_ends_never_go_back_and_agree_with_the_records(
    growth: list[tuple[int, int]], epoch: int
) -> None:
    """Against a list of the epoch of each record."""
    known, leader = LeaderEpochs(), 0
    records: list[int] = []
    for step, count in growth:
        leader += step
        if count:
            known.begin(leader, len(records))
        records += [leader] * count
    found = known.end_of(epoch, leader_epoch=leader, end_offset=len(records))
    if epoch > leader:
        assert found == UNKNOWN
        return
    assert found.end_offset == sum(1 for each in records if each <= epoch)
    assert found.epoch <= epoch
    assert [known.at(offset) for offset in range(len(records))] == records
