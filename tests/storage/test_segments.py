from __future__ import annotations

from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.storage.segments import MAX_CLOSED_INDEXES, Segments
from tests.storage.harness import append_values, open_log, read_records, says_own_offset


def log_of(batches: int) -> Log:
    log = open_log(MemoryFiles())
    for _ in range(batches):
        append_values(log, 3, size=30)
    return log


def test_few_closed_segments_keep_their_indexes() -> None:
    log = log_of(100)
    assert len(log.segments) > 10
    assert says_own_offset(read_records(log), 0, 300)
    assert (
        sum(segment.indexes.are_loaded for segment in log.segments[:-1]) <= MAX_CLOSED_INDEXES + 1
    )


def test_each_offset_lies_in_the_segment_that_has_it() -> None:
    log = log_of(30)
    segments = Segments(list(log.segments))
    for offset in range(log.end_offset):
        segment = segments.all[segments.number_of(offset)]
        assert segment.base_offset <= offset < segment.next_offset
    assert segments.number_of(log.end_offset) == len(segments.all) - 1


def test_segments_go_one_by_one_and_never_the_active_one() -> None:
    segments = Segments(list(log_of(30).segments))
    first, second = segments.all[:2]
    assert segments.first_below(second.base_offset - 1) is None
    assert segments.first_below(second.base_offset) is first
    while segments.first_below(90) is not None:
        segments.remove_first()
    assert segments.all == [segments.active]
    assert segments.bases == [segments.active.base_offset]
