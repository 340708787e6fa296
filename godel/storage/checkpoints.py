"""Writes down how far all logs of a broker are, so that the next start has little to do.

From time to time everything is settled (synced, indexes included) where nothing is being written
just now. And after so many bytes, written to whichever logs, the recovery points follow: they bound
what is read again after a crash, whatever the rate. For that what cached logs have not synced on
the way is synced, one file after the other: nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from structlog.typing import FilteringBoundLogger

from godel.errors import StorageFailed
from godel.records.partition_log import ProducerEntry
from godel.storage.checkpoint_writer import settled
from godel.storage.data_directories import DataDirectories
from godel.storage.data_directory import DataDirectory
from godel.storage.directory_watch import DirectoryWatch
from godel.storage.durability import Durability
from godel.storage.files import Files, is_full
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.sidecar_files import SnapshotPlan, carry_out
from godel.types import TopicPartition

CLOSING_THREADS = 16
"""Syncs that wait for the disk together at the stop."""
BYTES_PER_CHECKPOINT = 128 << 20
"""Recovery reads more than twice as many in a second."""
SOON_REPLAYED_BYTES = 16 << 10
"""So little is read again sooner than a file is made."""
LOGS_AT_ONCE = 32
"""So many logs are noted before requests have their turn: each writes to two files."""


class Checkpoints:
    """Of the `LocalLogStore`, whose open logs these are. One event loop."""

    def __init__(
        self,
        directories: DataDirectories,
        logs: Mapping[TopicPartition, Log],
        *,
        flusher: Flusher,
        watch: DirectoryWatch,
        log: FilteringBoundLogger,
    ) -> None:
        self._directories = directories
        self._logs = logs
        self._flusher = flusher
        self._watch = watch
        self._log = log

    async def run(self) -> None:
        """Let the recovery points follow what is written, until cancelled."""
        while True:
            await self._flusher.written(BYTES_PER_CHECKPOINT)
            await self.advance()

    async def advance(self) -> None:
        """Let the recovery points follow what is written until now."""
        cached = [
            log.durability
            for log in self._logs.values()
            if log.config.write_caching and log.end_offset > log.flushed_offset
        ]
        await self._flusher.flush_all(cached, threads=1)
        await self._note({})
        await self._write_reporting(lambda one: one.positions.write_recovery_points())

    async def save(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """See `LogStore.checkpoint`."""
        idle = [log for log in self._logs.values() if log.end_offset == log.flushed_offset]
        await self.settle([log for log in idle if not log.durability.is_settled], threads=1)
        await self._note(high_watermarks)
        await self._write_reporting(lambda one: one.positions.write())
        self._watch.ask(self._directories.working)

    async def _note(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Each log for itself: what it does meanwhile, the next round takes over."""
        partitions = tuple(self._logs)
        for at in range(0, len(partitions), LOGS_AT_ONCE):
            if at > 0:
                await asyncio.sleep(0)
            part = partitions[at : at + LOGS_AT_ONCE]
            logs = {one: self._logs[one] for one in part if one in self._logs}
            for directory in self._directories.working:
                own = self._directories.share(directory, logs)
                directory.positions.note(own, {})
        for directory in self._directories.working:
            own_marks = self._directories.share(directory, high_watermarks)
            directory.positions.note({}, own_marks)

    async def save_log_starts(self) -> None:
        """See `LogStore.save_log_starts`."""
        share = self._directories.share
        try:
            await self._write(lambda one: one.positions.write_log_starts(share(one, self._logs)))
        except StorageFailed as failure:
            if is_full(failure):
                await self._make_room()
            raise

    async def _make_room(self) -> None:
        """Let the oldest segments go although a full disk keeps log starts from being saved.

        Of each log only one, and synced: so a power cut leaves no hole. That makes room for the log
        starts, and in the next round the others may go.
        """
        logs = list(self._logs.values())
        for log in logs:
            with suppress(StorageFailed):
                log.delete_old_segments(at_most=1)
        await self._flusher.flush_all([log.durability for log in logs], threads=1)

    async def _write_reporting(self, write: Callable[[DataDirectory], Future[None]]) -> None:
        try:
            await self._write(write)
        except StorageFailed as failure:
            self._log.error("checkpoint_failed", reason=str(failure))

    async def _write(self, write: Callable[[DataDirectory], Future[None]]) -> None:
        """Have every directory write something, all at once. Raises `StorageFailed`, in the end."""
        failures: list[StorageFailed] = []
        for directory, written in [(one, write(one)) for one in self._directories.working]:
            try:
                with self._watch.suspecting(directory):
                    await settled(written)
            except StorageFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    async def save_producers(
        self, producers: Mapping[TopicPartition, Sequence[ProducerEntry]], *, threads: int
    ) -> None:
        """Write snapshots of what the broker knows of producers as of the end of each log.

        Nothing else happens to these logs meanwhile. They are not synced: one that a power cut
        takes, or for which there is no space, is made up for by replaying the log.
        """
        plans: list[tuple[Log, SnapshotPlan]] = []
        for partition, entries in producers.items():
            log = self._logs.get(partition)
            if log is not None and log.failure is None:
                offset, bases = log.end_offset, [one.base_offset for one in log.segments]
                if _is_worth_a_snapshot(log, entries):
                    plans.append((log, log.sidecars.plan_snapshot(offset, entries, bases)))
        parts = [plans[at::threads] for at in range(min(threads, len(plans)))]
        for part, done in zip(parts, await self._carry_out(parts), strict=True):
            for (log, plan), failure in zip(part, done, strict=True):
                if failure is None:
                    log.sidecars.note_carried_out(plan)
                else:
                    log.durability.refuse("snapshot", failure)

    async def _carry_out(
        self, parts: Sequence[Sequence[tuple[Log, SnapshotPlan]]]
    ) -> list[list[OSError | None]]:
        files = self._directories.files
        if files.is_inline:
            return [_carry_out_all(files, part) for part in parts]
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(max(len(parts), 1), "godel-snapshots") as executor:
            return await asyncio.gather(
                *(
                    loop.run_in_executor(executor, _carry_out_all, files.another(), part)
                    for part in parts
                )
            )

    async def settle(self, logs: Iterable[Log], *, threads: int) -> None:
        """Have all of these logs on disk, indexes included: they need not be checked then."""
        ends: dict[Durability, int] = {}
        settling = [log.durability for log in logs]
        for one in settling:
            with suppress(StorageFailed):
                one.finish()
                ends[one] = one.end_offset
        await self._flusher.flush_all(
            [one for one in settling if not one.is_idle],
            threads=threads,
            volumes=[directory.path for directory in self._directories.working],
        )
        for one, end_offset in ends.items():
            one.settled(end_offset)


def _is_worth_a_snapshot(log: Log, entries: Sequence[ProducerEntry]) -> bool:
    """Not where it would say of a small log what no file at all says: that no producer is known."""
    if log.end_offset == 0 or log.sidecars.has_producers(log.end_offset):
        return False
    return bool(entries) or log.sidecars.has_snapshots or log.size_bytes > SOON_REPLAYED_BYTES


def _carry_out_all(files: Files, plans: Iterable[tuple[Log, SnapshotPlan]]) -> list[OSError | None]:
    """In a worker thread: of the logs only their plans are looked at."""
    done: list[OSError | None] = []
    for _, plan in plans:
        try:
            carry_out(files, plan)
        except OSError as failure:
            done.append(failure)
        else:
            done.append(None)
    return done
