"""All partition logs of a broker on local disk: the `LogStore` of the daemon and the embedded one.

Logs are opened at first use. A folder that carries the id of another topic is what an earlier topic
of the same name has left behind: it is set aside, never served as the new topic's data.

An error of the disk fences the log that met it. Then its directory is tried (a small file written
and synced): one that fails goes offline with all its partitions. Kafka does so at every error; here
a single bad file costs one partition. A full disk is not a failed one: appends are refused until
there is space again.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.config.topic import TopicConfig
from godel.errors import CorruptBatch, DiskFull, StorageFailed
from godel.records.partition_log import (
    CleanerLimits,
    FutureLog,
    LogDirectory,
    PartitionLog,
    ProducerEntry,
)
from godel.storage import compaction, retention
from godel.storage.checkpoints import CLOSING_THREADS, Checkpoints
from godel.storage.cleaner import Abandoned, Cleaner, dirt_of
from godel.storage.compaction import Dirt
from godel.storage.data_directories import AllDirectoriesFailed, DataDirectories
from godel.storage.data_directory import DataDirectory, DataDirectoryError, DirectoryUnavailable
from godel.storage.directory_watch import DirectoryWatch
from godel.storage.files import UNKNOWN_SPACE, is_full
from godel.storage.flusher import Flusher
from godel.storage.folders import batches_size
from godel.storage.log import Log
from godel.storage.log_config import LogConfig, log_config
from godel.storage.mover import Mover
from godel.storage.recovery import RecoveryReport
from godel.storage.recovery_run import recover_logs
from godel.storage.relocation import Relocation
from godel.types import TopicId, TopicPartition


class LocalLogStore:
    """Owner of every open `Log`. One event loop."""

    def __init__(
        self,
        directories: DataDirectories,
        *,
        flusher: Flusher,
        clock: Clock,
        randomness: Randomness,
        log: FilteringBoundLogger,
    ) -> None:
        self._directories = directories
        self._flusher = flusher
        self._clock = clock
        self._randomness = randomness
        self._log = log
        self._logs: dict[TopicPartition, Log] = {}
        self.on_offline: Callable[[TopicPartition, str], None] | None = None
        self._watch = DirectoryWatch(directories.working, self._fail, log=log)
        self._checkpoints = Checkpoints(
            directories, self._logs, flusher=flusher, watch=self._watch, log=log
        )
        self.on_moved: Callable[[TopicPartition, PartitionLog], None] | None = None
        self._mover = Mover(
            directories.files,
            clock=clock,
            take_over=self._take_over,
            suspect=self._watch.suspect,
            log=log,
        )
        self._cleaner = Cleaner(directories.files, clock, flusher)
        self._uncleanable: set[TopicPartition] = set()
        """Compacting them has failed: not tried again before the next start."""

    def open(self, partition: TopicPartition, topic_id: TopicId, config: TopicConfig) -> Log:
        """See `LogStore.open`."""
        log = self._logs.get(partition)
        if log is not None:
            return log
        directory = self._home(partition)
        with self._watch.suspecting(directory):
            directory.partition_folder(partition, topic_id)
            log = self._open(
                partition,
                directory,
                log_config(config),
                topic_id=topic_id,
            )
        self._report(partition, log)
        return log

    def _open(
        self,
        partition: TopicPartition,
        directory: DataDirectory,
        config: LogConfig,
        *,
        topic_id: TopicId | None = None,
    ) -> Log:
        recovery_point = directory.positions.recovery_points.get(partition, 0)
        checked_end = directory.positions.checked_ends.get(partition)
        is_checked = checked_end is not None
        log = Log.open(
            directory.folder(partition),
            files=directory.files,
            flusher=self._flusher,
            clock=self._clock,
            config=config,
            was_clean=directory.was_clean or is_checked,
            recovery_point=recovery_point if checked_end is None else checked_end,
            flushed_offset=recovery_point if is_checked else None,
            log_start_offset=directory.positions.log_starts.get(partition, 0),
            compacted_end=directory.positions.clean_offsets.get(partition, 0),
            topic_id=topic_id,
            randomness=self._randomness,
        )
        log.durability.on_error = lambda error: self._watch.suspect(directory, error)
        self._logs[partition] = log
        return log

    async def recover(self, configs: Mapping[TopicPartition, TopicConfig], *, threads: int) -> None:
        """See `LogStore.recover`."""
        log_configs = {partition: log_config(config) for partition, config in configs.items()}
        for directory in tuple(self._directories.working):
            if not directory.was_clean:
                await self._recover(directory, log_configs, threads)

    async def _recover(
        self, directory: DataDirectory, configs: Mapping[TopicPartition, LogConfig], threads: int
    ) -> None:
        done = await recover_logs(
            directory.files,
            directory.unclean_logs(configs),
            threads=threads,
            clock=self._clock,
            log=self._log,
        )
        for one in done:
            if one.is_put_off:
                self._log.warning(
                    "recovery_put_off",
                    partition=str(one.partition),
                    reason=one.failure,
                    consequence="the log is checked again when it is opened",
                )
            elif one.failure is not None:
                self._log.error(
                    "partition_offline", partition=str(one.partition), reason=one.failure
                )
            elif one.report is not None:
                self._report_recovery(one.partition, one.report)
        try:
            with self._watch.suspecting(directory):
                directory.positions.note_recovered([one for one in done if one.failure is None])
        except StorageFailed as failure:
            self._log.error("checkpoint_failed", reason=str(failure))

    def _home(self, partition: TopicPartition) -> DataDirectory:
        try:
            return self._directories.home(partition)
        except DirectoryUnavailable as reason:
            raise StorageFailed(str(reason)) from reason

    async def watch(self) -> None:
        """See `LogStore.watch`."""
        await self._watch.run()

    def _fail(self, directory: DataDirectory, reason: str) -> None:
        try:
            lost = self._directories.fail(directory, reason)
        except AllDirectoriesFailed as failure:
            raise StorageFailed(str(failure)) from failure
        self._log.error(
            "directory_offline",
            directory=directory.path,
            reason=reason,
            partitions=len(lost),
            consequence="they are not served until the broker is started again with a sound disk",
        )
        for move in tuple(self._mover.moves.values()):
            if directory in (move.source, move.target):
                self._mover.cancel(move.partition)
        for partition in lost:
            self._let_go(partition, reason)

    def _let_go(self, partition: TopicPartition, reason: str) -> None:
        log = self._logs.pop(partition, None)
        if log is not None:
            log.abandon(reason)
        if self.on_offline is not None:
            self.on_offline(partition, reason)

    # Moving between directories

    def move(self, partition: TopicPartition, path: str) -> None:
        """See `LogStore.move`."""
        target = self._directories.by_path(path)
        if target is None:
            raise StorageFailed(f"{path} is offline")
        source = self._home(partition)
        asked = self._mover.moves.get(partition)
        if asked is not None and asked.target is target:
            return
        self._mover.cancel(partition)
        log = self._logs.get(partition)
        if source is target:
            return
        if log is None:
            assert partition not in source.partitions, "a log is opened before it is moved"
            self._directories.place(partition, target)
            return
        unique = self._randomness.uuid_bytes()
        self._mover.ask(Relocation(partition, log, source=source, target=target, unique=unique))

    async def run_moves(self) -> None:
        """See `LogStore.run_moves`."""
        await self._mover.run()

    def moves(self) -> list[FutureLog]:
        """See `LogStore.moves`."""
        return [
            FutureLog(
                move.partition,
                move.target.files.absolute(move.target.path),
                move.size_bytes,
                max(move.log.end_offset - move.next_offset, 0),
            )
            for move in self._mover.moves.values()
        ]

    def _take_over(self, move: Relocation) -> None:
        """Let a partition's copy in another directory take its log's place, in one step."""
        partition, old = move.partition, move.log
        if self._logs.get(partition) is not old:
            raise StorageFailed(f"{partition} is closed")
        old.flush()
        try:
            move.finish()
            self._directories.place(partition, move.target)
            new = self._open(partition, move.target, old.config)
        except (OSError, DataDirectoryError) as failure:
            if move.is_decided:
                reason = f"the move to {move.target.path} is to be ended by a start: {failure}"
                self._directories.strand(partition, reason)
                self._let_go(partition, reason)
            raise
        old.abandon("it has moved")
        if self.on_moved is not None:
            self.on_moved(partition, new)

    @property
    def offline(self) -> Mapping[TopicPartition, str]:
        """See `LogStore.offline`."""
        return self._directories.offline

    def set_aside_strays(self, known: Mapping[TopicPartition, TopicId]) -> None:
        """See `LogStore.set_aside_strays`."""
        for path, reason in self._directories.failures.items():
            self._log.error("directory_offline", directory=path, reason=reason)
        try:
            self._directories.set_aside_strays(known)
        except DataDirectoryError as failure:
            self._log.error("strays_not_set_aside", reason=str(failure))
        self._report_problems()

    def remove_deleted(self, delay_ms: float) -> None:
        """See `LogStore.remove_deleted`."""
        for directory in self._directories.working:
            directory.remove_deleted(delay_ms)

    def _report_problems(self) -> None:
        for directory in self._directories.working:
            problems, directory.problems = directory.problems, []
            for problem in problems:
                self._log.warning("data_directory_problem", problem=problem)

    def _report(self, partition: TopicPartition, log: Log) -> None:
        """Tell the operator what opening a log has met."""
        self._report_problems()
        self._report_recovery(partition, log.recovery_report)

    def _report_recovery(self, partition: TopicPartition, report: RecoveryReport) -> None:
        for hole in report.holes:
            self._log.warning(
                "log_hole",
                partition=str(partition),
                **hole._asdict(),
                reason="a segment is gone, or was compacted away before it came here",
            )
        if report.cut is not None:
            self._log.warning("log_cut", partition=str(partition), **report.cut._asdict())

    def needs_retention(self, partition: TopicPartition, config: TopicConfig) -> bool:
        """See `LogStore.needs_retention`."""
        if partition in self._logs:
            return True
        if partition not in self._directories:
            return False
        directory = self._home(partition)
        with self._watch.suspecting(directory):
            return retention.is_due(
                directory.files,
                directory.folder(partition),
                log_config(config),
                now_ms=self._clock.now_ms(),
                log_start_offset=directory.positions.log_starts.get(partition, 0),
                end_offset=directory.positions.recovery_points.get(partition, 0),
            )

    def exists(self, partition: TopicPartition) -> bool:
        """See `LogStore.exists`."""
        return partition in self._directories

    def configure(self, partition: TopicPartition, config: TopicConfig) -> None:
        """See `LogStore.configure`."""
        log = self._logs.get(partition)
        if log is not None:
            log.configure(log_config(config))

    def dirtiness(self, partition: TopicPartition, *, upper_bound: int) -> float | None:
        """See `LogStore.dirtiness`."""
        log = self._logs.get(partition)
        if log is None or not log.config.is_compacted or partition in self._uncleanable:
            return None
        with self._refusing(partition):
            found = self._dirt(partition, log, upper_bound)
            if found is not None and compaction.is_worthwhile(found, log.config):
                return found.ratio
        return None

    async def compact(
        self,
        partition: TopicPartition,
        *,
        upper_bound: int,
        producers: Sequence[ProducerEntry],
        limits: CleanerLimits,
    ) -> bool:
        """See `LogStore.compact`."""
        log = self._logs[partition]
        directory = self._directories.home(partition)

        def note(clean_offset: int) -> None:
            if self._logs.get(partition) is log:
                directory.positions.note_clean(partition, clean_offset)

        with self._refusing(partition), contextlib.suppress(Abandoned):
            found = self._dirt(partition, log, upper_bound)
            if found is not None:
                done = await self._cleaner.compact(
                    log, found, limits=limits, producers=producers, on_progress=note
                )
                self._log.info("log_compacted", partition=str(partition), **done._asdict())
                return True
        return False

    def _dirt(self, partition: TopicPartition, log: Log, upper_bound: int) -> Dirt | None:
        return dirt_of(
            log,
            self._directories.home(partition).positions.clean_offsets.get(partition),
            upper_bound=upper_bound,
            now_ms=self._clock.now_ms(),
        )

    @contextlib.contextmanager
    def _refusing(self, partition: TopicPartition) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            self._watch.suspect(self._directories.home(partition), failure)
            if is_full(failure):
                raise DiskFull(f"{partition} is not compacted for now: {failure}") from failure
            self._uncleanable.add(partition)
            raise StorageFailed(
                f"{partition} cannot be compacted before the broker is started again: {failure}"
            ) from failure
        except (CorruptBatch, OverflowError, struct.error) as failure:
            self._uncleanable.add(partition)
            raise StorageFailed(
                f"{partition} cannot be compacted before the broker is started again: {failure}"
            ) from failure
        except Abandoned:
            raise
        except Exception:
            self._uncleanable.add(partition)
            raise

    def delete(self, partition: TopicPartition, config: TopicConfig) -> None:
        """See `LogStore.delete`."""
        self._uncleanable.discard(partition)
        log = self._logs.pop(partition, None)
        self._mover.cancel(partition)
        if log is not None:
            log.abandon("the topic was deleted")
        try:
            self._directories.delete(partition, delay_ms=config.file_delete_delay_ms)
        except DirectoryUnavailable as failure:
            self._log.error("partition_not_deleted", partition=str(partition), reason=str(failure))

    @property
    def metadata_directory_id(self) -> bytes:
        """See `LogStore.metadata_directory_id`."""
        return self._directories.metadata.directory_id

    def directories(self) -> list[LogDirectory]:
        """See `LogStore.directories`."""
        working = {directory.path: directory for directory in self._directories.working}
        return [
            working[path].describe()
            if path in working
            else LogDirectory(self._directories.files.absolute(path), *UNKNOWN_SPACE, False)
            for path in self._directories.paths
        ]

    def directory_path(self, partition: TopicPartition) -> str:
        """See `LogStore.directory_path`."""
        home = self._home(partition)
        return home.files.absolute(home.path)

    def size_bytes(self, partition: TopicPartition) -> int:
        """See `LogStore.size_bytes`."""
        log = self._logs.get(partition)
        if log is not None:
            return log.size_bytes
        directory = self._home(partition)
        with self._watch.suspecting(directory):
            return batches_size(directory.files, directory.folder(partition))

    def known_end(self, partition: TopicPartition) -> int | None:
        """See `LogStore.known_end`."""
        log = self._logs.get(partition)
        if log is not None:
            return log.end_offset
        if partition in self._directories:
            return self._directories.home(partition).known_end(partition)
        return None if partition in self.offline else 0

    async def save_log_starts(self) -> None:
        """See `LogStore.save_log_starts`."""
        await self._checkpoints.save_log_starts()

    async def checkpoint(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """See `LogStore.checkpoint`."""
        await self._checkpoints.save(high_watermarks)

    async def run_checkpoints(self) -> None:
        """See `LogStore.run_checkpoints`."""
        await self._checkpoints.run()

    async def close(
        self,
        high_watermarks: Mapping[TopicPartition, int],
        producers: Mapping[TopicPartition, Sequence[ProducerEntry]] | None = None,
    ) -> bool:
        """See `LogStore.close`."""
        self._cleaner.close()
        await self._checkpoints.save_producers(producers or {}, threads=CLOSING_THREADS)
        await self._checkpoints.settle(self._logs.values(), threads=CLOSING_THREADS)
        try:
            is_clean = self._directories.close_logs(self._logs, high_watermarks)
            if not self._directories.files.is_inline:
                # It may take longer than others have patience: after a kill all is in order, too.
                await asyncio.to_thread(self._directories.files.finish_background)
        finally:
            self._directories.release()
        return is_clean
