from __future__ import annotations

from godel.storage.memory_files import MemoryFiles
from godel.storage.segment import Segment
from godel.storage.segment_indexes import SegmentIndexes
from tests.storage.harness import append_values, open_log, put


def filled(batches: int = 30) -> tuple[MemoryFiles, Segment]:
    files = MemoryFiles()
    log = open_log(files, segment_bytes=1 << 20)
    for _ in range(batches):
        append_values(log, 1, size=90)
    log.prepare_recovery()
    return files, log.segments[0]


def loaded_again(files: MemoryFiles, segment: Segment) -> SegmentIndexes:
    return SegmentIndexes(files, segment.file, 0, interval_bytes=200)


def test_what_was_written_is_loaded() -> None:
    files, segment = filled()
    before = segment.offset_index
    indexes = loaded_again(files, segment)
    assert not indexes.are_loaded
    offsets, times = indexes.load(30)
    assert len(offsets) == len(before) > 5
    assert offsets.entry(3) == before.entry(3)
    assert len(times) == 1


def test_doubtful_indexes_are_rebuilt() -> None:
    files, segment = filled()
    before = segment.offset_index
    put(files, segment.path(".timeindex"), b"")
    put(files, segment.path(".index"), b"\x7f" * 16)
    indexes = loaded_again(files, segment)
    offsets, times = indexes.load(30)
    assert len(offsets) == len(before)
    assert offsets.entry(3) == before.entry(3)
    assert len(times) == 1


def test_resuming_keeps_the_entries_below_the_offset() -> None:
    files, segment = filled()
    indexes = loaded_again(files, segment)
    position = indexes.resume(20)
    batch = next(segment.walk(position))
    assert 0 < batch.last_offset < 20
    assert indexes.offsets(30).last_position == position
    assert loaded_again(files, segment).resume(0) == 0


def test_resuming_begins_anew_where_the_index_lies() -> None:
    files, segment = filled()
    put(files, segment.path(".index"), bytes.fromhex("00000005 00000007 00000009 00000010"))
    indexes = loaded_again(files, segment)
    assert indexes.resume(20) == 0
    assert len(indexes.offsets(30)) == 0


def test_indexes_that_are_forgotten_are_written_before() -> None:
    files, segment = filled(5)
    entries = len(segment.offset_index)
    segment.indexes.note(segment.size_bytes, 500, 5, 7)
    segment.indexes.note(segment.size_bytes + 500, 500, 6, 8)
    segment.indexes.forget()
    assert not segment.indexes.are_loaded
    assert segment.indexes.files() == ()
    assert files.size(segment.path(".index")) // 8 > entries


def test_a_large_log_is_not_walked_for_want_of_index_files_however_far_apart_entries_are() -> None:
    files = MemoryFiles()
    log = open_log(files, segment_bytes=1 << 30, index_interval_bytes=1 << 30)
    append_values(log, 20, size=100_000)
    log.close()
    assert files.exists(f"{log.folder}/{0:020d}.timeindex")
    indexes = loaded_again(files, log.segments[0])
    assert indexes.largest_timestamp(20)[0] > 0
    assert not indexes.are_loaded
