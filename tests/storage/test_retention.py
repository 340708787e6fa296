from __future__ import annotations

import errno

import pytest

from godel.clock import ManualClock
from godel.storage.log_config import LogConfig
from godel.storage.memory_files import MemoryFiles
from godel.storage.retention import Reason, SegmentFacts, is_due, plan
from tests.storage.harness import (
    NOW_MS,
    append,
    append_values,
    batch_of,
    open_log,
    read_records,
    says_own_offset,
)

SEGMENTS = [
    SegmentFacts(0, 10, 100, NOW_MS - 5000, -1),
    SegmentFacts(10, 20, 100, NOW_MS - 3000, -1),
    SegmentFacts(20, 30, 100, NOW_MS - 1000, -1),
]
KEEP = {"retention_ms": -1, "retention_bytes": -1}


@pytest.mark.parametrize(
    ("settings", "log_start", "bound", "reasons"),
    [
        ({}, 0, 30, []),
        ({"retention_ms": 4000}, 0, 30, [Reason.TIME]),
        ({"retention_ms": 2000}, 0, 30, [Reason.TIME] * 2),
        ({"retention_ms": 10}, 0, 30, [Reason.TIME] * 3),
        ({"retention_ms": 10}, 0, 20, [Reason.TIME] * 2),
        ({"retention_ms": 10}, 0, 19, [Reason.TIME]),
        ({"retention_ms": 10, "is_deleted": False}, 0, 30, []),
        ({"retention_bytes": 300}, 0, 30, []),
        ({"retention_bytes": 201}, 0, 30, []),
        ({"retention_bytes": 200}, 0, 30, [Reason.SIZE]),
        ({"retention_bytes": 0}, 0, 30, [Reason.SIZE] * 3),
        ({"retention_bytes": 100, "retention_ms": 4000}, 0, 30, [Reason.TIME, Reason.SIZE]),
        ({}, 9, 30, []),
        ({}, 10, 30, [Reason.LOG_START]),
        ({"is_deleted": False}, 25, 30, [Reason.LOG_START] * 2),
        ({}, 30, 30, [Reason.LOG_START] * 3),
    ],
)
def test_plan(settings: dict[str, int], log_start: int, bound: int, reasons: list[Reason]) -> None:
    config = LogConfig(**{**KEEP, **settings})  # type: ignore[arg-type] # also a flag
    found = plan(SEGMENTS, config, now_ms=NOW_MS, log_start_offset=log_start, upper_bound=bound)
    assert [deletion.reason for deletion in found] == reasons
    assert [deletion.base_offset for deletion in found] == [0, 10, 20][: len(reasons)]


def test_an_empty_active_segment_stays() -> None:
    config = LogConfig(retention_ms=0)
    segments = [*SEGMENTS, SegmentFacts(30, 30, 0, -1, -1)]
    found = plan(segments, config, now_ms=NOW_MS, log_start_offset=0, upper_bound=30)
    assert len(found) == 3


def test_without_timestamps_the_file_says_how_old_it_is() -> None:
    config = LogConfig(retention_ms=1000)
    for modified_ms, count in ((NOW_MS - 1001, 1), (NOW_MS - 999, 0)):
        segments = [SegmentFacts(0, 10, 100, -1, modified_ms)]
        found = plan(segments, config, now_ms=NOW_MS, log_start_offset=0, upper_bound=10)
        assert len(found) == count


def test_deletion_renames_now_and_removes_later() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = open_log(files, clock=clock, retention_ms=60_000)
    for number in range(30):
        append(log, batch_of([b"%d" % number + b"." * 90], timestamps=[NOW_MS + number * 1000]))
    clock.advance(29_000 + 45_000)
    bases = [segment.base_offset for segment in log.segments]
    deletions = log.apply_retention(upper_bound=30)
    log.delete_old_segments()
    assert 0 < len(deletions) < len(bases)
    start = bases[len(deletions)]
    assert log.log_start_offset == start
    assert says_own_offset(read_records(log), start, 30)
    names = files.list_files(log.folder)
    assert any(name.endswith(".log.deleted") for name in names)
    assert not [name for name in names if name.endswith(".log") and int(name[:20]) < start]
    clock.advance(1000)
    assert not [name for name in files.list_files(log.folder) if name.endswith(".deleted")]


def test_an_index_that_cannot_be_renamed_is_not_unlinked_later_under_a_name_in_use() -> None:
    class Stubborn(MemoryFiles):
        def replace(self, source: str, target: str) -> None:
            if source.endswith(".timeindex"):
                raise OSError(errno.EIO, "the disk does not like it", source)
            super().replace(source, target)

    files, clock = Stubborn(), ManualClock(NOW_MS)
    log = open_log(files, clock=clock, retention_ms=1000)
    append_values(log, 3)
    clock.advance(1001)
    assert len(log.apply_retention(upper_bound=3)) == 1
    log.delete_old_segments()
    path = log.folder + "/00000000000000000000.timeindex"
    assert files.exists(path)
    clock.advance(1000)
    assert files.exists(path), "it may belong to the copy of a compaction by now"


def test_an_expired_active_segment_is_rolled_first() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = open_log(files, clock=clock, retention_ms=1000)
    append_values(log, 3)
    clock.advance(1001)
    assert len(log.apply_retention(upper_bound=3)) == 1
    log.delete_old_segments()
    assert (log.log_start_offset, log.end_offset, log.size_bytes) == (3, 3, 0)
    assert log.apply_retention(upper_bound=3) == []
    log.close()
    log = open_log(files, clock=clock, was_clean=True, recovery_point=3)
    assert (log.log_start_offset, log.end_offset) == (3, 3)
    append_values(log, 1)
    assert says_own_offset(read_records(log), 3, 4)


def test_no_segment_is_deleted_for_a_flipped_bit_of_its_time_index() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = open_log(files, clock=clock, retention_ms=60_000)
    for number in range(40):
        append(log, batch_of([b"." * 90], timestamps=[NOW_MS + number]))
    segments = len(log.segments)
    path = log.segments[0].path(".timeindex")
    log.close()
    data = files.file_node(path, create=False).data
    data[len(data) - 12 + 2] ^= 1  # its last timestamp is decades ago
    log = open_log(files, clock=clock, retention_ms=60_000, was_clean=True, recovery_point=40)
    assert log.apply_retention(upper_bound=40) == []
    assert len(log.segments) == segments
    assert log.segments[0].largest_timestamp == (NOW_MS + 8, 8)
    clock.advance(60_000 + 9)
    assert [one.base_offset for one in log.apply_retention(upper_bound=40)] == [0]


def test_a_segment_whose_batches_are_damaged_is_deleted_when_its_time_has_come() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = open_log(files, clock=clock, retention_ms=60_000)
    for _ in range(40):
        append(log, batch_of([b"." * 90], timestamps=[NOW_MS]))
    data = files.file_node(log.segments[0].file.path, create=False).data
    data[:200] = bytes(200)
    clock.advance(60_001)
    assert log.apply_retention(upper_bound=40)[0].base_offset == 0


def test_a_closed_log_without_an_index_is_judged_by_its_batches() -> None:
    files = MemoryFiles()
    config = LogConfig(retention_ms=1000)
    log = open_log(files, config=config)
    append(log, batch_of([b"a", b"b"], timestamps=[NOW_MS + 5, NOW_MS]))
    log.close()
    assert not files.exists(f"{log.folder}/{0:020d}.timeindex")

    def is_due_at(now_ms: int) -> bool:
        return is_due(files, log.folder, config, now_ms=now_ms, log_start_offset=0, end_offset=2)

    assert not is_due_at(NOW_MS + 1005)
    assert is_due_at(NOW_MS + 1006)


def test_a_closed_log_whose_first_segment_was_compacted_to_nothing_is_judged_by_its_file() -> None:
    files = MemoryFiles()
    config = LogConfig(retention_ms=1000)
    log = open_log(files, config=config)
    append_values(log, 1)
    log.roll()
    append_values(log, 1)
    log.close()
    for suffix in ("log", "timeindex"):
        files.open(f"{log.folder}/{0:020d}.{suffix}").truncate(0)
    written_ms = files.modified_ms(f"{log.folder}/{0:020d}.log")

    def is_due_at(now_ms: int) -> bool:
        return is_due(files, log.folder, config, now_ms=now_ms, log_start_offset=0, end_offset=2)

    assert not is_due_at(written_ms + 1000)
    assert is_due_at(written_ms + 1001)
