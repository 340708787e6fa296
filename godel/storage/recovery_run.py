"""Recovering all logs of a broker after an unclean stop, in worker threads, before it serves.

First every folder is measured: a log that still ends where the last checkpoint says needs no look
at its bytes. The others are checked, the longest first, each worker with a door to the files of its
own. None is left open: a log is opened when somebody asks for it. A long run says every few seconds
how far it is.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.errors import CorruptBatch
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, LogEnd
from godel.storage.files import Files, is_full, join, parent
from godel.storage.flusher import MANY_LOGS
from godel.storage.log_config import LogConfig
from godel.storage.recovery import LoadedLog, RecoveryReport, finish_indexes, load
from godel.storage.sidecar_files import SidecarFiles
from godel.types import TopicPartition

Result = TypeVar("Result")

PROGRESS_MS = 5_000
LOGS_AT_ONCE = 64
BYTES_AT_ONCE = 8 << 20
"""So much one hop into a worker thread takes along."""
SIDECARS = frozenset({layout.LEADER_EPOCH_CHECKPOINT, layout.PARTITION_METADATA})

FAILURES = (OSError, CorruptBatch, DamagedCheckpoint)
"""Of one log; the others go on."""


class UncleanLog(NamedTuple):
    """A log that nobody has closed."""

    partition: TopicPartition
    folder: str
    config: LogConfig
    recovery_point: int
    log_start_offset: int
    end: LogEnd | None
    """Where it ended when it was last known to be durable to its end."""

    is_suspect: bool = False
    """What lies below the recovery point is checked, too."""

    compacted_end: int = 0
    """How far the log was ever compacted."""


class RecoveredLog(NamedTuple):
    """What became of it. Unless it has failed it may be opened as after a clean stop."""

    partition: TopicPartition
    end_offset: int = 0
    flushed_offset: int = 0
    report: RecoveryReport | None = None
    """None: it has not changed since the checkpoint."""
    failure: str | None = None
    is_put_off: bool = False
    """It has failed because the disk is full: it is checked again when it is opened."""


class Tally:
    """What one worker has done so far. Written by its thread, read by the event loop."""

    __slots__ = ("logs", "read_bytes")

    def __init__(self) -> None:
        self.logs = 0
        self.read_bytes = 0

    def add(self, size_bytes: int) -> None:
        self.read_bytes += size_bytes


Worker = Callable[[Files, Tally], Coroutine[object, object, None]]


async def recover_logs(
    files: Files,
    logs: Sequence[UncleanLog],
    *,
    threads: int,
    clock: Clock,
    log: FilteringBoundLogger,
) -> list[RecoveredLog]:
    """Recover every log and tell what became of each."""
    run = RecoveryRun(files, threads=threads, clock=clock, log=log)
    try:
        return await run.run(logs)
    finally:
        run.close()


class RecoveryRun:
    """One run. Lives on the event loop."""

    def __init__(
        self, files: Files, *, threads: int, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._files = files
        self._clock = clock
        self._log = log
        self._executor = None if files.is_inline else ThreadPoolExecutor(threads, "godel-recovery")
        self._doors = [files] if files.is_inline else [files.another() for _ in range(threads)]
        self._tallies = [Tally() for _ in self._doors]
        self._logs = self._unchanged = self._total_bytes = 0
        self._began_ms = clock.monotonic_ms()
        self._timer = clock.call_later(PROGRESS_MS, self._report_progress)

    def close(self) -> None:
        """Stop reporting and end the threads."""
        self._timer.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    async def run(self, logs: Sequence[UncleanLog]) -> list[RecoveredLog]:
        self._logs = len(logs)
        done: list[RecoveredLog] = []
        changed: list[tuple[int, UncleanLog]] = []
        parts = deque(logs[at : at + LOGS_AT_ONCE] for at in range(0, len(logs), LOGS_AT_ONCE))

        async def measure_parts(door: Files, _: Tally) -> None:
            while parts:
                unchanged, found = await self._call(measure, door, parts.popleft())
                done.extend(unchanged)
                changed.extend(found)

        await self._in_parallel(measure_parts)
        self._unchanged = len(done)
        self._total_bytes = sum(size_bytes for size_bytes, _ in changed)
        if sum(not one.config.write_caching for _, one in changed) >= MANY_LOGS:
            await self._call(self._files.write_back, parent(logs[0].folder))
        loads = deque(split(changed))

        async def recover_loads(door: Files, tally: Tally) -> None:
            while loads:
                now_ms = self._clock.now_ms()
                done.extend(await self._call(recover_load, door, loads.popleft(), now_ms, tally))

        await self._in_parallel(recover_loads)
        return done

    async def _in_parallel(self, work: Worker) -> None:
        pairs = zip(self._doors, self._tallies, strict=True)
        await asyncio.gather(*(work(door, tally) for door, tally in pairs))

    async def _call(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self._executor is None:
            await asyncio.sleep(0)
            return work(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, work, *arguments)

    def _report_progress(self) -> None:
        self._timer = self._clock.call_later(PROGRESS_MS, self._report_progress)
        elapsed_ms = self._clock.monotonic_ms() - self._began_ms
        read_bytes = sum(tally.read_bytes for tally in self._tallies)
        done_logs = self._unchanged + sum(tally.logs for tally in self._tallies)
        left_bytes = max(self._total_bytes - read_bytes, 0)
        self._log.info(
            "recovery_under_way",
            partitions=f"{done_logs} of {self._logs}",
            bytes=f"{read_bytes} of {self._total_bytes}",
            seconds_left=round(left_bytes / read_bytes * elapsed_ms / 1000) if read_bytes else None,
        )


def split(changed: Iterable[tuple[int, UncleanLog]]) -> Iterator[list[UncleanLog]]:
    """What a worker takes along at once: the long logs first and alone, short ones together."""
    load: list[UncleanLog] = []
    load_bytes = 0
    for size_bytes, one in sorted(changed, key=lambda pair: pair[0], reverse=True):
        if load and (load_bytes + size_bytes > BYTES_AT_ONCE or len(load) == LOGS_AT_ONCE):
            yield load
            load, load_bytes = [], 0
        load.append(one)
        load_bytes += size_bytes
    if load:
        yield load


# -- in the worker threads ------------------------------------------------------------------------


def measure(
    files: Files, logs: Sequence[UncleanLog]
) -> tuple[list[RecoveredLog], list[tuple[int, UncleanLog]]]:
    """Those that have not changed since the checkpoint, and the others with the bytes to check."""
    unchanged: list[RecoveredLog] = []
    changed: list[tuple[int, UncleanLog]] = []
    for one in logs:
        try:
            size_bytes = bytes_to_check(files, one)
        except OSError:
            size_bytes = 0  # whatever it is, recovering it meets it again
        if size_bytes is None:
            assert one.end is not None
            unchanged.append(RecoveredLog(one.partition, one.end.offset, one.end.offset))
        else:
            changed.append((size_bytes, one))
    return unchanged, changed


def bytes_to_check(files: Files, log: UncleanLog) -> int | None:
    """None: the log ends where it did when all of it was known to be durable. Raises OSError."""
    names = set(files.list_files(log.folder)) - SIDECARS
    found = [one for name in names if (one := layout.parse_segment_file(name)) is not None]
    bases = sorted(one.base_offset for one in found if one.suffix == layout.LOG)
    first = max(bisect_left(bases, log.recovery_point) - 1, 0)
    sizes = [
        files.size(join(log.folder, layout.segment_file(base, layout.LOG)))
        for base in bases[first:]
    ]
    is_tidy = len(found) == len(names)
    if log.end is None or not is_tidy or not bases:
        return sum(sizes)
    is_unchanged = (bases[-1], sizes[-1]) == (log.end.base_offset, log.end.size_bytes)
    return None if is_unchanged else sum(sizes)


def recover_load(
    files: Files, logs: Sequence[UncleanLog], now_ms: int, tally: Tally
) -> list[RecoveredLog]:
    """Check some logs, and leave them so that they may be opened on trust."""
    done: list[RecoveredLog] = []
    checked: list[tuple[UncleanLog, LoadedLog]] = []
    for one in logs:
        try:
            checked.append((one, check(files, one, now_ms, tally)))
        except FAILURES as failure:
            done.append(failed(one, failure))
        tally.logs += 1
    if sum(not one.config.write_caching for one, _ in checked) > 1:
        files.write_back(parent(checked[0][0].folder))
    for one, loaded in checked:
        try:
            settle_recovered(files, one.folder, loaded)
        except FAILURES as failure:
            done.append(failed(one, failure))
            continue
        end_offset = loaded.segments[-1].next_offset
        done.append(RecoveredLog(one.partition, end_offset, loaded.flushed_offset, loaded.report))
    return done


def failed(log: UncleanLog, failure: Exception) -> RecoveredLog:
    reason = f"{log.folder}: {failure}"
    return RecoveredLog(log.partition, failure=reason, is_put_off=is_full(failure))


def check(files: Files, log: UncleanLog, now_ms: int, tally: Tally) -> LoadedLog:
    """Raises OSError, `CorruptBatch`, `DamagedCheckpoint`."""
    loaded = load(
        files,
        log.folder,
        log.config,
        was_clean=False,
        recovery_point=log.recovery_point,
        is_suspect=log.is_suspect,
        log_start_offset=log.log_start_offset,
        compacted_end=log.compacted_end,
        now_ms=now_ms,
        on_read=tally.add,
    )
    finish_indexes(loaded.segments[-1])
    return loaded


def settle_recovered(files: Files, folder: str, loaded: LoadedLog) -> None:
    """Write down what recovery has found and nobody would find again. Raises OSError."""
    end_offset = loaded.segments[-1].next_offset
    for file in finish_indexes(loaded.segments[-1]):
        file.sync()
    for segment in loaded.segments:
        segment.close()
    sidecars = SidecarFiles(files, folder, set())
    epochs = sidecars.leader_epochs(loaded.report.leader_epochs, end_offset)
    if epochs != sidecars.leader_epochs((), end_offset):
        sidecars.write_leader_epochs(epochs)
    if sidecars.topic_id() is None and files.exists(
        path := join(folder, layout.PARTITION_METADATA)
    ):
        files.remove(path)  # torn: it is written anew when the log is opened
    for changed in loaded.unsynced_folders:
        files.sync_folder(changed)
