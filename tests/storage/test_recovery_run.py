from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from godel.clock import ManualClock
from godel.records.partition_log import EpochStart
from godel.storage.checkpoint_file import LogEnd
from godel.storage.faulty_files import FaultyFiles
from godel.storage.files import Files, join
from godel.storage.folders import make_durable_folder
from godel.storage.memory_files import MemoryFile, MemoryFiles
from godel.storage.real_files import RealFiles
from godel.storage.recovery_run import (
    LOGS_AT_ONCE,
    PROGRESS_MS,
    RecoveredLog,
    UncleanLog,
    bytes_to_check,
    recover_logs,
    split,
)
from godel.types import TopicPartition
from tests.storage.harness import (
    NOW_MS,
    SMALL_SEGMENTS,
    append,
    append_values,
    batch_of,
    open_log,
    put,
    read_records,
    says_own_offset,
)

pytestmark = pytest.mark.anyio


def write_log(files: Files, folder: str, batches: int, **changes: object) -> None:
    """As a killed process leaves it."""
    log = open_log(files, folder, **changes)
    for _ in range(batches):
        append_values(log, 1, size=90)
    log.abandon("killed")


def unclean(folder: str, number: int = 0, **changes: object) -> UncleanLog:
    one = UncleanLog(TopicPartition("t", number), folder, SMALL_SEGMENTS, 0, 0, None)
    return one._replace(**changes)


async def run(
    files: Files, logs: Sequence[UncleanLog], clock: ManualClock | None = None
) -> dict[int, RecoveredLog]:
    done = await recover_logs(
        files,
        logs,
        threads=2,
        clock=clock or ManualClock(NOW_MS),
        log=structlog.get_logger(),
    )
    return {one.partition.partition: one for one in done}


@pytest.mark.slow
async def test_every_log_is_recovered_in_worker_threads(tmp_path: Path) -> None:
    files = RealFiles()
    folders = [join(str(tmp_path), f"t-{number}") for number in range(2 * LOGS_AT_ONCE)]
    for number, folder in enumerate(folders):
        write_log(files, folder, number % 20)
    done = await run(files, [unclean(folder, n) for n, folder in enumerate(folders)])
    assert [done[n].end_offset for n in range(len(folders))] == [
        n % 20 for n in range(len(folders))
    ]
    assert all(one.flushed_offset == one.end_offset for one in done.values())
    log = open_log(files, folders[19], was_clean=True, recovery_point=19)
    assert not log.recovery_report.was_checked
    assert says_own_offset(read_records(log), 0, 19)
    log.close()


class CountingFiles(MemoryFiles):
    """Counts what is read, and lets a clock go on meanwhile."""

    def __init__(self, clock: ManualClock | None = None, ms_per_read: float = 0) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.clock, self.ms_per_read = clock, ms_per_read

    def open(self, path: str, size_bytes: int | None = None) -> MemoryFile:
        found = super().open(path, size_bytes)
        return CountedFile(self, found.path, found.size)


class CountedFile(MemoryFile):
    def pread(self, position: int, size_bytes: int) -> bytes:
        files = self._files
        assert isinstance(files, CountingFiles)
        files.reads.append(self.path)
        if files.clock is not None:
            files.clock.advance(files.ms_per_read)
        return super().pread(position, size_bytes)


async def test_a_log_that_has_not_changed_since_the_checkpoint_is_not_read() -> None:
    files = CountingFiles()
    write_log(files, "d/t-0", 20)
    log = open_log(files, "d/t-0")
    active = log.segments[-1]
    end = LogEnd(20, active.base_offset, active.size_bytes)
    log.close()
    files.reads.clear()
    one = unclean("d/t-0", recovery_point=20, end=end)
    done = await run(files, [one])
    assert done[0] == RecoveredLog(one.partition, 20, 20)
    assert files.reads == []
    append_values(log := open_log(files, "d/t-0"), 1)
    log.abandon("killed")
    done = await run(files, [one])
    assert done[0].end_offset == 21
    assert done[0].report is not None


async def test_only_what_lies_behind_the_recovery_point_is_counted() -> None:
    files = MemoryFiles()
    write_log(files, "d/t-0", 30)
    log = open_log(files, "d/t-0")
    sizes = [segment.size_bytes for segment in log.segments]
    bases = [segment.base_offset for segment in log.segments]
    assert len(sizes) > 3
    assert bytes_to_check(files, unclean("d/t-0")) == sum(sizes)
    assert bytes_to_check(files, unclean("d/t-0", recovery_point=bases[2] + 1)) == sum(sizes[2:])


async def test_a_leftover_in_the_folder_is_a_change() -> None:
    files = MemoryFiles()
    write_log(files, "d/t-0", 2)
    size_bytes = files.size("d/t-0/00000000000000000000.log")
    one = unclean("d/t-0", end=LogEnd(2, 0, size_bytes))
    assert bytes_to_check(files, one) is None
    put(files, "d/t-0/00000000000000000000.log.cleaned", b"x")
    assert bytes_to_check(files, one) == size_bytes


async def test_a_long_run_says_how_far_it_is() -> None:
    clock = ManualClock(NOW_MS)
    files = CountingFiles(clock, ms_per_read=PROGRESS_MS / 4)
    for number in range(4):
        write_log(files, f"d/t-{number}", 20)
    with capture_logs() as lines:
        await run(files, [unclean(f"d/t-{number}", number) for number in range(4)], clock)
    progress = [line for line in lines if line["event"] == "recovery_under_way"]
    assert len(progress) > 2
    done, total = progress[-1]["partitions"].split(" of ")
    assert 0 < int(done) <= int(total) == 4
    read_bytes, total_bytes = map(int, progress[-1]["bytes"].split(" of "))
    assert 0 < read_bytes <= total_bytes
    left = [line["seconds_left"] for line in progress]
    assert left[-1] < left[0]
    clock.advance(10 * PROGRESS_MS)
    assert len([line for line in lines if line["event"] == "recovery_under_way"]) == len(progress)


async def test_a_log_that_cannot_be_read_does_not_stop_the_others() -> None:
    files = MemoryFiles()
    write_log(files, "d/t-0", 3)
    done = await run(files, [unclean("d/t-0", 0), unclean("d/t-0/00000000000000000000.log", 1)])
    assert done[0].end_offset == 3
    assert done[0].failure is None
    assert "d/t-0/00000000000000000000.log" in str(done[1].failure)


async def test_what_recovery_saw_of_leader_epochs_is_kept() -> None:
    files = MemoryFiles()
    log = open_log(files, "d/t-0")
    log.save_leader_epochs([EpochStart(1, 0)])
    for epoch in (1, 4, 6):
        append(log, batch_of([b"x"]), epoch)
    await run(files, [unclean("d/t-0")])
    log = open_log(files, "d/t-0", was_clean=True, recovery_point=3)
    assert log.leader_epochs() == [EpochStart(1, 0), EpochStart(4, 1), EpochStart(6, 2)]


async def test_a_cached_log_is_checked_and_not_synced() -> None:
    files = MemoryFiles()
    write_log(files, "d/t-0", 20, write_caching=True)
    config = replace(SMALL_SEGMENTS, write_caching=True)
    done = await run(files, [unclean("d/t-0", config=config)])
    assert (done[0].end_offset, done[0].flushed_offset) == (20, 0)
    log = open_log(
        files, "d/t-0", was_clean=True, recovery_point=20, flushed_offset=0, write_caching=True
    )
    assert (log.end_offset, log.flushed_offset) == (20, 0)
    plan = log.durability.begin_sync()
    assert plan is not None
    assert {file.path for file in plan.files} == {segment.file.path for segment in log.segments}


def test_long_logs_go_first_and_short_ones_together() -> None:
    sizes = [5, 90 << 20, 7, 1 << 20, 12 << 20]
    logs = [(size_bytes, unclean(f"d/t-{n}", n)) for n, size_bytes in enumerate(sizes)]
    loads = [[one.partition.partition for one in load] for load in split(logs)]
    assert loads == [[1], [4], [3, 2, 0]]


async def test_a_cached_logs_indexes_are_synced_with_all_that_is_cut_off_them() -> None:
    """Once its batches are synced, nobody looks at the indexes again."""
    files = FaultyFiles()
    make_durable_folder(files, "d/t-0")
    config = replace(SMALL_SEGMENTS, segment_bytes=1 << 20, write_caching=True)
    log = open_log(files, "d/t-0", config=config)
    for _ in range(20):
        append_values(log, 1, size=90)
    log.durability.finish()
    log.flush()
    log.abandon("killed")
    with_all = files.read("d/t-0/00000000000000000000.index")
    file = files.open("d/t-0/00000000000000000000.log")
    file.truncate(file.size // 2)
    file.sync()
    done = await run(files, [unclean("d/t-0", config=config)])
    assert done[0].end_offset == 10
    files = files.after_crash()
    assert 0 < len(files.read("d/t-0/00000000000000000000.index")) < len(with_all)
