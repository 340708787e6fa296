from __future__ import annotations

import errno
import itertools
import struct
from contextlib import suppress
from dataclasses import replace

import pytest

from godel.clock import ManualClock
from godel.errors import StorageFailed
from godel.records.partition_log import EpochStart, ProducerEntry
from godel.storage import segment as segment_module
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import (
    NOW_MS,
    SMALL_SEGMENTS,
    append,
    append_values,
    batch_of,
    open_log,
    read_records,
    says_own_offset,
)

FOLDER = "data/topic-0"


def test_append_writes_offset_and_epoch_and_leaves_the_rest() -> None:
    files = MemoryFiles()
    log = open_log(files)
    data = batch_of([b"a", b"b"])
    assert append(log, data, 7) == 0
    buffer = bytearray(data)
    assert append(log, buffer, 8) == 2
    buffer[:] = bytes(len(buffer))
    stored = files.read(log.segments[0].file.path)
    size_bytes = len(data)
    assert (
        stored[:size_bytes] == struct.pack(">q", 0) + data[8:12] + struct.pack(">i", 7) + data[16:]
    )
    assert stored[size_bytes:] == (
        struct.pack(">q", 2) + data[8:12] + struct.pack(">i", 8) + data[16:]
    )
    assert log.size_bytes == 2 * size_bytes


def test_snapshots_are_asked_for_at_each_roll_and_kept_with_their_segments() -> None:
    clock = ManualClock(NOW_MS)
    files = MemoryFiles()
    log = open_log(files, clock=clock)

    def save() -> None:
        log.save_producers([ProducerEntry(1, 0, 0, log.end_offset - 1, 0, NOW_MS, -1, -1)])

    log.on_snapshot_due = save
    for _ in range(30):
        append_values(log, 1, size=90)
    bases = [segment.base_offset for segment in log.segments]
    assert snapshots(files) == bases[1:]
    save()
    assert log.latest_producers()[0] == 30
    append_values(log, 1)
    save()
    assert snapshots(files) == [*bases[1:], 31]
    log.truncate_prefix(bases[3])
    log.apply_retention(upper_bound=31)
    log.delete_old_segments()
    assert snapshots(files) == [*bases[3:], 31]
    files.file_node(f"{FOLDER}/{31:020d}.snapshot", create=False).data[20] ^= 1
    assert log.latest_producers()[0] == bases[-1]


def snapshots(files: MemoryFiles) -> list[int]:
    return sorted(int(name[:20]) for name in files.list_files(FOLDER) if "snapshot" in name)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_refuses_and_the_log_goes_on_when_there_is_space(error: int) -> None:
    files = FaultyFiles()
    log = open_log(files)
    append_values(log, 2)
    assert log.committed(2) is None
    files.faults = lambda operation: Fault(error, 50) if operation.kind is Kind.APPEND else None
    for _ in range(2):
        with pytest.raises(StorageFailed, match="append failed"):
            append_values(log, 1)
        assert (log.end_offset, log.failure) == (2, None)
        assert says_own_offset(read_records(log), 0, 2)
    files.faults = None
    append_values(log, 3)
    assert says_own_offset(read_records(log), 0, 5)
    log.close()
    log = open_log(files)
    assert log.recovery_report.cut is None
    assert says_own_offset(read_records(log), 0, 5)


def test_what_a_full_disk_tore_is_cut_off_by_the_next_start() -> None:
    files = FaultyFiles()
    log = open_log(files)
    append_values(log, 2)
    files.faults = lambda operation: (
        Fault(errno.ENOSPC, 50) if operation.kind is Kind.APPEND else None
    )
    with pytest.raises(StorageFailed, match="append failed"):
        append_values(log, 1)
    files.faults = None
    log = open_log(files)
    assert log.recovery_report.cut is not None
    assert log.recovery_report.cut.cut_bytes == 50
    append_values(log, 1)
    assert says_own_offset(read_records(log), 0, 3)


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_operation_fences_nothing_but_a_failed_sync() -> None:
    """Rolling, indexes, snapshots, epochs, retention, checkpoints: each is tried again later."""

    def history(log: Log) -> None:
        log.on_snapshot_due = lambda: log.save_producers([])
        for number in range(12):
            with suppress(StorageFailed):
                log.save_leader_epochs([EpochStart(number, log.end_offset)])
            with suppress(StorageFailed):
                append_values(log, 2, size=200)
            with suppress(StorageFailed):
                log.apply_retention(upper_bound=log.flushed_offset)
            log.prepare_recovery()

    count = FaultyFiles()
    history(open_log(count, retention_bytes=2500))
    for number in range(1, count.operations + 1):
        files, seen = FaultyFiles(), set[Kind]()

        def is_hit(operation: Operation, number: int = number, seen: set[Kind] = seen) -> bool:
            if operation.number == number:
                seen.add(operation.kind)
            return operation.number == number

        files.fail(is_hit, error=errno.ENOSPC)
        try:
            log = open_log(files, retention_bytes=2500)
        except OSError:
            files.faults = None
            log = open_log(files, retention_bytes=2500)
        history(log)
        if log.failure is not None:
            assert seen & {Kind.SYNC, Kind.SYNC_FOLDER}, log.failure
            continue
        append_values(log, 2)
        assert says_own_offset(read_records(log), log.log_start_offset, log.end_offset)


@pytest.mark.parametrize("kind", [Kind.LINK, Kind.TRUNCATE, Kind.APPEND])
def test_a_roll_that_fails_fences(kind: Kind) -> None:
    files = FaultyFiles()
    log = open_log(files)
    while log.segments[0].size_bytes < 1300:
        append_values(log, 1, size=90)
    end = log.end_offset
    files.fail(lambda operation: operation.kind is kind, error=errno.ENOSPC)
    with pytest.raises(StorageFailed):
        append_values(log, 1, size=200)
    files.faults = None
    assert log.end_offset == end
    assert says_own_offset(read_records(log), 0, end)
    assert open_log(files).end_offset == end


def test_a_read_that_fails_says_so_and_fences_nothing() -> None:
    files = FaultyFiles()
    log = open_log(files)
    append_values(log, 1)
    files.fail(lambda operation: operation.kind is Kind.READ)
    with pytest.raises(StorageFailed, match="read failed"):
        log.read(0, 100, upper_bound=1, at_least_one=True)
    files.faults = None
    append_values(log, 1)
    assert says_own_offset(read_records(log), 0, 2)


def test_a_sequential_reader_walks_no_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(MemoryFiles(), config=LogConfig())
    for _ in range(3000):
        append_values(log, 1, size=40)
    walks = []
    walk = segment_module.Segment.walk

    def counted(self: segment_module.Segment, position: int = 0, end: int | None = None) -> object:
        walks.append(position)
        return walk(self, position, end)

    monkeypatch.setattr(segment_module.Segment, "walk", counted)
    assert len(read_records(log, max_bytes=10_000)) == 3000
    assert walks == []
    read_records(log, 1234, 1240)
    assert len(walks) == 2


def test_the_log_start_may_lie_inside_a_segment_and_a_batch() -> None:
    log = open_log(MemoryFiles())
    append_values(log, 10)
    log.truncate_prefix(4)
    log.truncate_prefix(2)
    assert (log.log_start_offset, log.flushed_offset) == (4, 4)
    assert says_own_offset(read_records(log), 4, 10)
    found = log.offset_for_timestamp(NOW_MS, upper_bound=10)
    assert found is not None
    assert found.offset == 4
    found = log.max_timestamp(upper_bound=10)
    assert found is not None
    assert found.offset == 4


def test_replay_shows_whole_batches_from_the_one_with_the_offset() -> None:
    log = open_log(MemoryFiles())
    for count in (3, 4, 5) * 10:
        append_values(log, count, size=50)
    seen = []
    log.replay(5, lambda header, batch: seen.append((header.base_offset, len(batch))))
    assert [offset for offset, _ in seen[:3]] == [3, 7, 12]
    assert seen[-1][0] == 115


def test_settings_change_under_a_running_log() -> None:
    log = open_log(MemoryFiles())
    append_values(log, 1)
    log.configure(replace(SMALL_SEGMENTS, segment_bytes=100))
    append_values(log, 1)
    assert len(log.segments) == 2


def test_the_topic_id_is_kept() -> None:
    files = MemoryFiles()
    topic_id = bytes(range(16))
    log = open_log(files, topic_id=topic_id)
    log.close()
    log = open_log(files, topic_id=bytes(16), was_clean=True)
    assert log.topic_id == topic_id


def parse_segment(files: MemoryFiles, base: int) -> dict[int, tuple[int, int]]:
    """Position -> last offset and largest timestamp, read as the format says and no other way."""
    data = files.read(f"{FOLDER}/{base:020d}.log")
    found, at = {}, 0
    while at < len(data):
        (base_offset,) = struct.unpack_from(">q", data, at)
        (length,) = struct.unpack_from(">i", data, at + 8)
        (last_delta,) = struct.unpack_from(">i", data, at + 23)
        (max_timestamp,) = struct.unpack_from(">q", data, at + 35)
        assert data[at + 16] == 2
        found[at] = (base_offset + last_delta, max_timestamp)
        at += 12 + length
    assert at == len(data)
    return found


def test_the_files_are_what_kafka_expects() -> None:
    files = MemoryFiles()
    log = open_log(files)
    times = [NOW_MS + (number * 7919) % 1000 + number for number in range(60)]
    for number, time_ms in enumerate(times):
        append(
            log, batch_of([b"v" * 40] * (1 + number % 3), timestamps=[time_ms] * (1 + number % 3))
        )
    log.close()
    bases = sorted(int(name[:20]) for name in files.list_files(FOLDER) if name.endswith(".log"))
    assert len(bases) > 3
    for base in bases:
        batches = parse_segment(files, base)
        index = list(struct.iter_unpack(">ii", files.read(f"{FOLDER}/{base:020d}.index")))
        assert index
        for relative_offset, position in index:
            assert batches[position][0] == base + relative_offset
        assert index == sorted(set(index))
        positions = [0, *(position for _, position in index)]
        assert all(after - before > 200 for before, after in itertools.pairwise(positions))
        time_index = list(struct.iter_unpack(">qi", files.read(f"{FOLDER}/{base:020d}.timeindex")))
        firsts: dict[int, int] = {}
        for last_offset, max_timestamp in batches.values():
            firsts.setdefault(max_timestamp, last_offset)
        assert time_index[-1][0] == max(firsts)
        for timestamp_ms, relative_offset in time_index:
            assert firsts[timestamp_ms] == base + relative_offset
        assert time_index == sorted(set(time_index))


def test_the_recovery_point_does_not_pass_a_segment_whose_indexes_are_not_synced() -> None:
    files = MemoryFiles()
    log = open_log(files)
    append_values(log, 3)
    log.flush()
    assert log.prepare_recovery() == 3
    log.roll()
    assert log.flushed_offset == 3
    assert log.prepare_recovery() == 0
    log.flush()
    assert log.prepare_recovery() == 3


def test_a_log_too_small_for_an_index_entry_is_closed_without_index_files() -> None:
    files = MemoryFiles()
    config = LogConfig()
    log = open_log(files, config=config)
    append_values(log, 3)
    log.prepare_recovery()
    log.close()
    assert not [name for name in files.list_files(log.folder) if name.endswith("index")]
    log = open_log(files, config=config, was_clean=True, recovery_point=3)
    found = log.max_timestamp(upper_bound=3)
    assert found is not None
    assert found.timestamp_ms == NOW_MS
    for _ in range(2):
        append_values(log, 1, size=5000)
    log.close()
    names = [name for name in files.list_files(log.folder) if name.endswith("index")]
    assert sorted(names) == [f"{0:020d}.index", f"{0:020d}.timeindex"]
    log = open_log(files, config=config, was_clean=True, recovery_point=5)
    append_values(log, 1)
    log.close()
    assert files.size(f"{log.folder}/{0:020d}.timeindex") > 0, "they are kept up once they exist"
