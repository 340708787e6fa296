"""The power is cut before every operation of a history; what was promised must be there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from godel.clock import ManualClock, Randomness
from godel.errors import StorageFailed
from godel.records.partition_log import EpochStart, ProducerEntry
from godel.storage.data_directory import DataDirectory
from godel.storage.faulty_files import FaultyFiles, PowerCut
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.types import TopicPartition
from tests.storage.harness import (
    NOW_MS,
    SMALL_SEGMENTS,
    append_values,
    read_records,
    says_own_offset,
)

PARTITION = TopicPartition("topic", 0)
TOPIC_ID = bytes(range(16))


@dataclass
class Promises:
    """What the broker may have told a client before the lights went out."""

    flushed: int = 0
    appended: int = 0
    log_start: int = 0
    epochs: int = 0

    def note(self, log: Log) -> None:
        self.flushed = max(self.flushed, log.flushed_offset)
        self.appended = max(self.appended, log.end_offset)
        self.log_start = max(self.log_start, log.log_start_offset)


class Run:
    """One life of a broker with one partition on a disk."""

    def __init__(self, files: FaultyFiles, promises: Promises, seed: int = 1) -> None:
        self.clock = ManualClock(NOW_MS)
        self.flusher = Flusher(files)
        self.promises = promises
        self.directory = DataDirectory.open(
            "data", files=files, clock=self.clock, randomness=Randomness(seed)
        )
        self.log = Log.open(
            self.directory.partition_folder(PARTITION, TOPIC_ID),
            files=files,
            flusher=self.flusher,
            clock=self.clock,
            config=SMALL_SEGMENTS,
            was_clean=self.directory.was_clean,
            recovery_point=self.directory.positions.recovery_points.get(PARTITION, 0),
            log_start_offset=self.directory.positions.log_starts.get(PARTITION, 0),
            topic_id=TOPIC_ID,
        )
        self.log.on_snapshot_due = self.save_producers
        self.log.on_flushed = lambda: promises.note(self.log)

    def save_producers(self) -> None:
        entry = ProducerEntry(1, 0, 0, self.log.end_offset - 1, 0, NOW_MS, -1, -1)
        self.log.save_producers([entry])

    def append(self, count: int, size: int, *, is_committed: bool) -> None:
        append_values(self.log, count, size=size)
        self.promises.note(self.log)
        if is_committed:
            assert self.log.committed(self.log.end_offset) is None
            self.promises.note(self.log)

    def checkpoint(self) -> None:
        self.directory.positions.note({PARTITION: self.log}, {PARTITION: self.log.end_offset})
        self.directory.positions.write().result()

    def close(self) -> None:
        self.save_producers()
        self.directory.close({PARTITION: self.log}, {PARTITION: self.log.end_offset})
        self.promises.note(self.log)


def history(files: FaultyFiles, promises: Promises, *, rounds: int = 2) -> None:
    for number in range(rounds):
        run = Run(files, promises)
        run.log.save_leader_epochs([EpochStart(number, run.log.end_offset)])
        promises.epochs = number + 1
        for step in range(10):
            run.append(1 + step % 3, 90, is_committed=step % 3 != 1)
            if step == 4:
                run.checkpoint()
        run.log.truncate_prefix(run.log.flushed_offset - 3)
        promises.note(run.log)
        run.log.apply_retention(upper_bound=run.log.flushed_offset)
        run.directory.positions.write_log_starts({PARTITION: run.log})
        run.log.delete_old_segments()
        run.append(2, 90, is_committed=True)
        run.clock.advance(1000)
        run.append(1, 200, is_committed=False)
        if number % 2 == 0:
            run.close()
        else:
            run.directory.release()


def check_promises(disk: FaultyFiles, promises: Promises) -> None:
    """Start on what is left, look at everything, go on, stop in order, and start once more."""
    run = Run(disk, Promises(), seed=2)
    log = run.log
    assert promises.flushed <= log.end_offset <= promises.appended
    assert log.log_start_offset <= promises.log_start
    assert says_own_offset(read_records(log), log.log_start_offset, log.end_offset)
    offset, _ = log.latest_producers()
    assert offset <= log.end_offset
    assert log.leader_epochs() or not promises.flushed
    replayed: list[int] = []
    log.replay(log.log_start_offset, lambda header, _: replayed.append(header.base_offset))
    assert replayed == sorted(replayed)
    run.append(3, 30, is_committed=True)
    end = log.end_offset
    run.close()
    again = Run(disk, Promises(), seed=3)
    assert again.directory.was_clean
    assert not again.log.recovery_report.was_checked
    assert again.log.end_offset == end
    assert says_own_offset(read_records(again.log), again.log.log_start_offset, end)
    again.append(1, 0, is_committed=True)


def crash(crash_at: int) -> tuple[FaultyFiles, Promises]:
    files, promises = FaultyFiles(crash_at=crash_at), Promises()
    with pytest.raises(PowerCut):
        history(files, promises)
    files.crash_at = None
    return files, promises


def count_operations() -> int:
    files = FaultyFiles()
    history(files, Promises())
    return files.operations


@pytest.mark.slow
def test_a_crash_before_every_operation_keeps_what_was_promised() -> None:
    for crash_at in range(1, count_operations() + 1):
        files, promises = crash(crash_at)
        check_promises(files.after_crash(), promises)


@pytest.mark.slow
def test_whatever_part_of_the_unsynced_survives_the_log_is_whole() -> None:
    for crash_at in range(1, count_operations() + 1, 2):
        files, promises = crash(crash_at)
        for seed in range(2):
            check_promises(files.after_crash(Randomness(crash_at * 100 + seed)), promises)


def test_a_killed_process_loses_nothing_it_has_written() -> None:
    for crash_at in range(1, count_operations() + 1, 3):
        files, promises = crash(crash_at)
        files.release_locks()
        check_promises(files, promises)


def test_a_crash_during_recovery_changes_nothing() -> None:
    files, promises = crash(count_operations() * 2 // 3)
    disk = files.after_crash(Randomness(5))
    operations = 0
    while True:
        operations += 1
        second = disk.after_crash()
        second.crash_at = operations
        try:
            Run(second, Promises(), seed=4)
        except PowerCut:
            check_promises(second.after_crash(Randomness(operations)), promises)
        else:
            break
    assert operations > 3


def test_failed_sync_fences_and_the_next_start_finds_what_was_acknowledged() -> None:
    files, promises = FaultyFiles(), Promises()
    run = Run(files, promises)
    run.append(2, 0, is_committed=True)
    files.fail(lambda operation: operation.kind.value == "sync")
    append_values(run.log, 1)
    with pytest.raises(RuntimeError, match="no running event loop"):
        run.log.committed(run.log.end_offset)
    with pytest.raises(StorageFailed, match="sync failed"):
        append_values(run.log, 1)
    assert run.log.flushed_offset == 2
    files.faults = None
    assert not run.directory.close({PARTITION: run.log}, {})
    promises.appended += 1
    check_promises(files.after_crash(), promises)
