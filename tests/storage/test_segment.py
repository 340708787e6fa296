from __future__ import annotations

import pytest

from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.storage.segment import MAX_BOUNDARIES
from tests.storage.harness import append_values, open_log, read_records, says_own_offset


def log_of(batches: int, **changes: object) -> Log:
    log = open_log(MemoryFiles(), **changes)
    for _ in range(batches):
        append_values(log, 3, size=30)
    return log


def test_locate_finds_the_batch_with_each_offset() -> None:
    segment = log_of(100, segment_bytes=1 << 20).segments[0]
    batches = list(segment.walk())
    assert len(batches) == 100
    for batch in batches:
        for offset in range(batch.base_offset, batch.last_offset + 1):
            assert segment.locate(offset) == batch.position
    assert segment.locate(300) == segment.size_bytes
    assert len(segment._boundaries) <= MAX_BOUNDARIES


def test_reads_end_at_batches_whatever_the_limit() -> None:
    log = log_of(20, segment_bytes=1 << 20, index_interval_bytes=500)
    segment = log.segments[0]
    ends = [batch.position + batch.size_bytes for batch in segment.walk()]
    for max_bytes in range(1, segment.size_bytes + 50, 13):
        data = segment.read(0, max_bytes, upper_bound=60, at_least_one=False)
        assert data is not None
        assert data.size_bytes == max((end for end in ends if end <= max_bytes), default=0)


def test_walking_reads_batches_larger_than_a_chunk() -> None:
    log = open_log(MemoryFiles(), segment_bytes=1 << 20)
    for size in (10, 40_000, 10, 100_000, 10):
        append_values(log, 1, size=size)
    assert [batch.base_offset for batch in log.segments[0].walk()] == [0, 1, 2, 3, 4]
    assert says_own_offset(read_records(log), 0, 5)


@pytest.mark.parametrize("upper_bound", [3, 30, 33])
def test_reads_stop_at_the_upper_bound(upper_bound: int) -> None:
    log = log_of(20, segment_bytes=1 << 20)
    assert says_own_offset(read_records(log, end=upper_bound, max_bytes=10**6), 0, upper_bound)
