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
from concurrent.futures import Future

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.config.topic import TopicConfig
from godel.errors import CorruptBatch, StorageFailed
from godel.records.partition_log import CleanerLimits, LogDirectory, ProducerEntry
from godel.storage import compaction, retention
from godel.storage.checkpoint_writer import settled
from godel.storage.cleaner import Abandoned, Cleaner, dirt_of
from godel.storage.compaction import Dirt
from godel.storage.data_directories import AllDirectoriesFailed, DataDirectories
from godel.storage.data_directory import DataDirectory, DataDirectoryError, DirectoryUnavailable
from godel.storage.files import UNKNOWN_SPACE, is_full
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from godel.storage.recovery import Cut
from godel.storage.recovery_run import recover_logs
from godel.types import TopicId, TopicPartition

CLOSING_THREADS = 16
"""Syncs that wait for the disk together at the stop."""


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
        self._suspects: set[DataDirectory] = set()
        self._is_suspicious = asyncio.Event()
        self._cleaner = Cleaner(directories.files, clock)
        self._uncleanable: set[TopicPartition] = set()
        """Compacting them has failed: not tried again before the next start."""

    def open(self, partition: TopicPartition, topic_id: TopicId, config: TopicConfig) -> Log:
        """See `LogStore.open`."""
        log = self._logs.get(partition)
        if log is not None:
            return log
        directory = self._home(partition)
        with self._suspecting(directory):
            folder = directory.partition_folder(partition, topic_id)
            recovery_point = directory.recovery_points.get(partition, 0)
            checked_end = directory.checked_ends.get(partition)
            is_checked = checked_end is not None
            log = Log.open(
                folder,
                files=directory.files,
                flusher=self._flusher,
                clock=self._clock,
                config=log_config(config),
                was_clean=directory.was_clean or is_checked,
                recovery_point=recovery_point if checked_end is None else checked_end,
                flushed_offset=recovery_point if is_checked else None,
                log_start_offset=directory.log_start_offsets.get(partition, 0),
                topic_id=topic_id,
                randomness=self._randomness,
            )
        log.durability.on_error = lambda error: self._suspect(directory, error)
        self._logs[partition] = log
        self._report(partition, log)
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
            if one.failure is not None:
                self._log.error(
                    "partition_offline", partition=str(one.partition), reason=one.failure
                )
            elif one.report is not None and one.report.cut is not None:
                self._report_cut(one.partition, one.report.cut)
        try:
            with self._suspecting(directory):
                directory.note_recovered([one for one in done if one.failure is None])
        except StorageFailed as failure:
            self._log.error("checkpoint_failed", reason=str(failure))

    def _home(self, partition: TopicPartition) -> DataDirectory:
        try:
            return self._directories.home(partition)
        except DirectoryUnavailable as reason:
            raise StorageFailed(str(reason)) from reason

    @contextlib.contextmanager
    def _suspecting(self, directory: DataDirectory) -> Iterator[None]:
        """Whatever the disk refuses here is a reason to try the directory."""
        try:
            yield
        except (OSError, DataDirectoryError) as error:
            self._suspect(directory, error)
            raise StorageFailed(str(error)) from error

    def _suspect(self, directory: DataDirectory, error: Exception) -> None:
        if not is_full(error):
            self._suspects.add(directory)
            self._is_suspicious.set()

    async def watch(self) -> None:
        """See `LogStore.watch`."""
        while True:
            await self._is_suspicious.wait()
            self._is_suspicious.clear()
            while self._suspects:
                directory = self._suspects.pop()
                failure = await self._probe(directory)
                if failure is not None and directory in self._directories.working:
                    self._fail(directory, failure)

    async def _probe(self, directory: DataDirectory) -> str | None:
        """Why a directory does not work; None: it does."""
        files = directory.files
        try:
            if files.is_inline:
                directory.probe(files)
            else:
                await asyncio.to_thread(directory.probe, files.another())
        except OSError as error:
            if not is_full(error):
                return f"{directory.path}: {error}"
        return None

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
        for partition in lost:
            log = self._logs.pop(partition, None)
            if log is not None:
                log.abandon(reason)
            if self.on_offline is not None:
                self.on_offline(partition, reason)

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
            for problem in directory.problems:
                self._log.warning("data_directory_problem", problem=problem)
            directory.problems.clear()

    def _report(self, partition: TopicPartition, log: Log) -> None:
        """Tell the operator what opening a log has met."""
        self._report_problems()
        cut = log.recovery_report.cut
        if cut is not None:
            self._report_cut(partition, cut)

    def _report_cut(self, partition: TopicPartition, cut: Cut) -> None:
        self._log.warning("log_cut", partition=str(partition), **cut._asdict())

    def needs_retention(self, partition: TopicPartition, config: TopicConfig) -> bool:
        """See `LogStore.needs_retention`."""
        if partition in self._logs:
            return True
        if partition not in self._directories:
            return False
        directory = self._home(partition)
        with self._suspecting(directory):
            return retention.is_due(
                directory.files,
                directory.folder(partition),
                log_config(config),
                now_ms=self._clock.now_ms(),
                log_start_offset=directory.log_start_offsets.get(partition, 0),
                end_offset=directory.recovery_points.get(partition, 0),
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
                directory.note_clean(partition, clean_offset)

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
            self._directories.home(partition).clean_offsets.get(partition),
            upper_bound=upper_bound,
            now_ms=self._clock.now_ms(),
        )

    @contextlib.contextmanager
    def _refusing(self, partition: TopicPartition) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            if is_full(failure):
                raise StorageFailed(f"{partition} is not compacted for now: {failure}") from failure
            self._uncleanable.add(partition)
            self._suspect(self._directories.home(partition), failure)
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
            describe(working[path])
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
        with self._suspecting(directory):
            return directory.size_bytes(partition)

    async def save_log_starts(self) -> None:
        """See `LogStore.save_log_starts`."""
        share = self._directories.share
        await self._write(lambda one: one.write_log_starts(share(one, self._logs)))

    async def checkpoint(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """See `LogStore.checkpoint`."""
        await self._settle(
            [
                log
                for log in self._logs.values()
                if log.end_offset == log.flushed_offset and not log.is_settled
            ],
            threads=1,
        )
        share = self._directories.share
        for directory in self._directories.working:
            directory.note_positions(share(directory, self._logs), share(directory, high_watermarks))
        try:
            await self._write(DataDirectory.write_checkpoints)
        except StorageFailed as failure:
            self._log.error("checkpoint_failed", reason=str(failure))
        self._suspects.update(self._directories.working)
        self._is_suspicious.set()

    async def _write(self, write: Callable[[DataDirectory], Future[None]]) -> None:
        """Have every directory write something, all at once. Raises `StorageFailed`, in the end."""
        failures: list[StorageFailed] = []
        for directory, written in [(one, write(one)) for one in self._directories.working]:
            try:
                with self._suspecting(directory):
                    await settled(written)
            except StorageFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _settle(self, logs: Sequence[Log], *, threads: int) -> None:
        """Have all of these logs on disk, indexes included: they need not be checked then."""
        ends = {log: log.end_offset for log in logs if log.finish()}
        await self._flusher.flush_all([log.durability for log in logs], threads=threads)
        for log, end_offset in ends.items():
            log.settled(end_offset)

    async def close(self, high_watermarks: Mapping[TopicPartition, int]) -> bool:
        """See `LogStore.close`."""
        self._cleaner.close()
        await self._settle(list(self._logs.values()), threads=CLOSING_THREADS)
        return self._directories.close(self._logs, high_watermarks)


def describe(directory: DataDirectory) -> LogDirectory:
    """A working directory, as clients are told of it."""
    files = directory.files
    try:
        space = files.space(directory.path)
    except OSError:
        space = UNKNOWN_SPACE
    return LogDirectory(files.absolute(directory.path), *space, True)


def log_config(config: TopicConfig) -> LogConfig:
    """What `storage/` needs of a topic's settings."""
    return LogConfig(
        segment_bytes=config.segment_bytes,
        segment_ms=_segment_ms(config),
        segment_jitter_ms=config.segment_jitter_ms,
        segment_index_bytes=config.segment_index_bytes,
        index_interval_bytes=config.index_interval_bytes,
        max_message_bytes=config.max_message_bytes,
        retention_ms=config.retention_ms,
        retention_bytes=config.retention_bytes,
        is_deleted="delete" in config.cleanup_policy,
        is_compacted=config.is_compacted,
        min_cleanable_dirty_ratio=config.min_cleanable_dirty_ratio,
        min_compaction_lag_ms=config.min_compaction_lag_ms,
        max_compaction_lag_ms=config.max_compaction_lag_ms,
        delete_retention_ms=config.delete_retention_ms,
        file_delete_delay_ms=config.file_delete_delay_ms,
        flush_messages=config.flush_messages,
        flush_ms=config.flush_ms,
        write_caching=config.write_caching,
    )


def _segment_ms(config: TopicConfig) -> int:
    """The active segment is not compacted: it must end in time for max.compaction.lag.ms."""
    if config.is_compacted:
        return min(config.segment_ms, config.max_compaction_lag_ms)
    return config.segment_ms
