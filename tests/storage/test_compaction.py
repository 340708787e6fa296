"""Compaction of a log, on files in memory."""

from __future__ import annotations

import pytest

from godel.clock import ManualClock
from godel.errors import CorruptBatch
from godel.records.batch import HEADER_SIZE, BatchHeader, iterate_records
from godel.records.builder import build_batch
from godel.records.compression import Compression
from godel.records.partition_log import CleanerLimits, ProducerEntry
from godel.storage.cleaner import Abandoned
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from tests.storage.compaction_harness import COMPACTED, UNLIMITED, Compactor, put_keys, table_of
from tests.storage.harness import NOW_MS, append, open_log, read_records


def batches_of(log: Log) -> list[tuple[BatchHeader, memoryview]]:
    found: list[tuple[BatchHeader, memoryview]] = []
    log.replay(log.log_start_offset, lambda header, batch: found.append((header, batch)))
    return found


@pytest.mark.parametrize("compression", list(Compression))
def test_the_last_record_of_each_key_stays_where_it_was(compression: Compression) -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for number in range(40):
        put_keys(log, [(f"k{number % 5}", "x" * 50), (f"u{number}", "y")], compression=compression)
    log.roll()
    put_keys(log, [("k0", "active")])
    log.flush()
    before = {record.offset: record for record in read_records(log)}
    table = table_of(log)
    done = Compactor(files).compact(log)
    assert done is not None
    assert done.clean_offset == 80
    assert done.bytes_after == log.size_bytes == sum(one.size_bytes for one in log.segments)
    after = read_records(log)
    assert all(before[record.offset] == record for record in after)
    assert [record.offset for record in after] == sorted(
        [2 * number + 1 for number in range(40)] + [70, 72, 74, 76, 78, 80]
    )
    assert table_of(log) == table
    assert log.end_offset == 81
    assert Compactor(files).compact(log) is not None, "without a checkpoint it begins anew"
    assert read_records(log) == after


def test_nothing_clean_is_compacted_again() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    compactor = Compactor(files)
    for number in range(30):
        put_keys(log, [("k", f"{number:050d}")])
    log.flush()
    assert compactor.compact(log) is not None
    assert compactor.compact(log) is None


def test_tombstones_go_after_the_delete_horizon() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = open_log(files, config=COMPACTED, clock=clock)
    compactor = Compactor(files, clock)
    put_keys(log, [("a", "1"), ("b", "2")])
    put_keys(log, [("a", None)], timestamp_ms=NOW_MS - 5)
    log.roll()
    log.flush()
    compactor.compact(log)
    assert [(r.offset, r.key, r.value) for r in read_records(log)] == [
        (1, b"b", b"2"),
        (2, b"a", None),
    ]
    header, batch = batches_of(log)[-1]
    assert header.has_delete_horizon
    assert header.base_timestamp == NOW_MS + 1000
    assert [record.timestamp for record in iterate_records(batch)] == [NOW_MS - 5]
    for elapsed_ms, offsets in ((999, [1, 2, 3]), (1, [1, 4])):
        clock.advance(elapsed_ms)
        put_keys(log, [("c", str(elapsed_ms))])
        log.roll()
        log.flush()
        compactor.compact(log)
        assert [record.offset for record in read_records(log)] == offsets


def test_an_emptied_batch_of_a_live_producer_stays_as_a_header() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for sequence in range(3):
        put_keys(log, [("k", "v")], producer=(7, 1, sequence), compression=Compression.ZSTD)
    put_keys(log, [("k", "w")])
    put_keys(log, [("l", "w")])
    log.roll()
    log.flush()
    live = [ProducerEntry(7, 1, 2, 2, 0, NOW_MS, -1, -1)]
    Compactor(files).compact(log, producers=live)
    header, batch = batches_of(log)[0]
    assert len(batch) == HEADER_SIZE
    assert (header.base_offset, header.last_offset, header.records_count) == (2, 2, 0)
    assert (header.producer_id, header.producer_epoch, header.last_sequence) == (7, 1, 2)
    assert header.max_timestamp == NOW_MS
    assert [record.offset for record in read_records(log)] == [3, 4]
    assert log.offset_for_timestamp(0, upper_bound=5) == (3, NOW_MS, 0)
    Compactor(files).compact(log)
    assert [header.base_offset for header, _ in batches_of(log)] == [3, 4]


def test_the_largest_timestamp_is_that_of_a_record_that_is_there() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    put_keys(log, [("k", "v")], producer=(7, 1, 0), timestamp_ms=NOW_MS + 9)
    put_keys(log, [("k", "w")])
    log.roll()
    log.flush()
    Compactor(files).compact(log, producers=[ProducerEntry(7, 1, 0, 0, 0, NOW_MS, -1, -1)])
    assert log.max_timestamp(upper_bound=2) == (1, NOW_MS, 0)


def test_a_small_buffer_takes_several_passes() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for number in range(60):
        put_keys(log, [(f"k{number % 20}", f"{number}"), (f"k{(number + 7) % 20}", "+")])
    log.roll()
    log.flush()
    table = table_of(log)
    done = Compactor(files).compact(log, limits=CleanerLimits(256 * 6, 1e18))
    assert done is not None
    assert done.passes > 3
    assert done.clean_offset == 120
    assert table_of(log) == table
    assert len(read_records(log)) == len(table)


def test_small_segments_become_one() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for number in range(60):
        put_keys(log, [(f"k{number % 3}", f"{number:040d}")])
    log.roll()
    log.flush()
    compactor = Compactor(files)
    assert len(log.segments) > 6
    compactor.compact(log)
    for name in ("a", "b"):
        put_keys(log, [(name, "v")])
        log.roll()
        log.flush()
        compactor.compact(log)
    assert len(log.segments) <= 3
    assert max(one.size_bytes for one in log.segments) <= COMPACTED.segment_bytes
    compactor.clock.advance(10)  # type: ignore[attr-defined] # a ManualClock
    log.close()
    found = sorted(name for name in files.list_files("data/topic-0"))
    assert not [name for name in found if name.endswith((".cleaned", ".swap"))]


def test_appends_rolls_and_reads_go_on_meanwhile() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for number in range(80):
        put_keys(log, [(f"k{number % 7}", f"{number:040d}")])
    log.flush()
    count = 0

    def between() -> None:
        nonlocal count
        count += 1
        put_keys(log, [(f"k{count % 9}", f"m{count:040d}")])
        log.flush()
        log.apply_retention(upper_bound=log.end_offset)
        log.delete_old_segments()
        assert table_of(log)[f"k{count % 9}"] == f"m{count:040d}"

    Compactor(files).compact(log, between=between)
    assert count > 10
    assert log.end_offset == 80 + count


def test_a_log_that_is_closed_meanwhile_is_left_alone() -> None:
    for turn in range(12):
        files = MemoryFiles()
        log = open_log(files, config=COMPACTED)
        for number in range(30):
            put_keys(log, [(f"k{number % 7}", f"{number:040d}")])
        log.flush()
        table, end_offset = table_of(log), log.end_offset
        turns = 0

        def between(log: Log = log, stop: int = turn) -> None:
            nonlocal turns
            if turns == stop:
                log.close()
            turns += 1

        with pytest.raises(Abandoned):
            Compactor(files).compact(log, between=between)
        again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=end_offset)
        assert table_of(again) == table
        assert not [
            name
            for name in files.list_files("data/topic-0")
            if name.endswith((".swap", ".cleaned"))
        ]


def test_retention_takes_segments_away_meanwhile() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED, is_deleted=True, retention_bytes=0)
    for number in range(40):
        put_keys(log, [(f"k{number}", f"{number:040d}")])
    log.flush()

    def between() -> None:
        log.apply_retention(upper_bound=log.end_offset)
        log.delete_old_segments()

    with pytest.raises(Abandoned):
        Compactor(files).compact(log, between=between)
    assert log.failure is None
    assert log.end_offset == 40


def test_a_corrupt_batch_stops_compaction_but_nothing_else() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for number in range(30):
        put_keys(log, [("k", f"{number:040d}")])
    log.flush()
    node = files.file_node(log.segments[1].file.path, create=False)
    node.data[70] ^= 1
    sizes = [one.size_bytes for one in log.segments]
    with pytest.raises(CorruptBatch, match="CRC"):
        Compactor(files).compact(log, limits=UNLIMITED)
    assert log.failure is None
    assert [one.size_bytes for one in log.segments] == sizes
    assert put_keys(log, [("k", "on")]) == 30


def test_records_without_a_key_go() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    append(log, build_batch([(None, b"no key"), (b"k", b"1")], timestamp_ms=NOW_MS))
    put_keys(log, [("other", "value")])
    log.roll()
    log.flush()
    Compactor(files).compact(log)
    assert [record.offset for record in read_records(log)] == [1, 2]


def test_records_below_the_log_start_do_no_harm() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    for number in range(30):
        put_keys(log, [(f"k{number % 4}", f"{number:040d}")])
    log.roll()
    log.flush()
    log.truncate_prefix(8)
    table = table_of(log)
    Compactor(files).compact(log)
    assert log.log_start_offset == 8
    assert table_of(log) == table
