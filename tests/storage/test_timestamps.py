from __future__ import annotations

import pytest

from godel.records.partition_log import TimestampOffset
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import append, batch_of, open_log

TIMES = [(100, 90, 130), (120,), (110, 200), (150,), (200, 50), (10,)]
"""Records 0 to 9; the largest timestamp is that of record 5, and again of record 7."""


@pytest.fixture(params=[1 << 20, 100])
def log(request: pytest.FixtureRequest) -> Log:
    log = open_log(MemoryFiles(), segment_bytes=request.param, index_interval_bytes=0)
    for epoch, times in enumerate(TIMES):
        append(log, batch_of([b"x"] * len(times), timestamps=times), epoch)
    return log


@pytest.mark.parametrize(
    ("timestamp_ms", "start", "bound", "found"),
    [
        (0, 0, 10, (0, 100, 0)),
        (101, 0, 10, (2, 130, 0)),
        (130, 0, 10, (2, 130, 0)),
        (131, 0, 10, (5, 200, 2)),
        (131, 6, 10, (6, 150, 3)),
        (131, 0, 4, None),
        (200, 6, 10, (7, 200, 4)),
        (201, 0, 10, None),
        (0, 9, 10, (9, 10, 5)),
        (0, 10, 10, None),
    ],
)
def test_first_at_or_after(
    log: Log, timestamp_ms: int, start: int, bound: int, found: tuple[int, int, int] | None
) -> None:
    log.truncate_prefix(start)
    wanted = found and TimestampOffset(*found)
    assert log.offset_for_timestamp(timestamp_ms, upper_bound=bound) == wanted


@pytest.mark.parametrize(
    ("start", "bound", "found"),
    [
        (0, 10, (5, 200, 2)),
        (6, 10, (7, 200, 4)),
        (0, 4, (2, 130, 0)),
        (3, 4, (3, 120, 1)),
        (9, 10, (9, 10, 5)),
        (4, 4, None),
    ],
)
def test_largest(log: Log, start: int, bound: int, found: tuple[int, int, int] | None) -> None:
    log.truncate_prefix(start)
    assert log.max_timestamp(upper_bound=bound) == (found and TimestampOffset(*found))


def test_a_batch_with_the_brokers_time_has_one_timestamp() -> None:
    log = open_log(MemoryFiles())
    append(log, batch_of([b"a", b"b"], timestamps=[5, 9], has_log_append_time=True))
    assert log.offset_for_timestamp(6, upper_bound=2) == TimestampOffset(0, 9, 0)
    log.truncate_prefix(1)
    assert log.max_timestamp(upper_bound=2) == TimestampOffset(1, 9, 0)
