"""All partition logs of a broker on local disk: the `LogStore` of the daemon and the embedded one.

Logs are opened at first use. A folder that carries the id of another topic is what an earlier topic
of the same name has left behind: it is set aside, never served as the new topic's data.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.config.topic import TopicConfig
from godel.errors import CorruptBatch, StorageFailed
from godel.records.partition_log import CleanerLimits, LogDirectory, ProducerEntry
from godel.storage import compaction
from godel.storage.cleaner import Abandoned, Cleaner, dirt_of
from godel.storage.compaction import Dirt
from godel.storage.data_directory import DataDirectory, DataDirectoryError
from godel.storage.files import UNKNOWN_SPACE
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
        directory: DataDirectory,
        *,
        flusher: Flusher,
        clock: Clock,
        randomness: Randomness,
        log: FilteringBoundLogger,
    ) -> None:
        self._directory = directory
        self._flusher = flusher
        self._clock = clock
        self._randomness = randomness
        self._log = log
        self._logs: dict[TopicPartition, Log] = {}
        self._cleaner = Cleaner(directory.files, clock)
        self._uncleanable: set[TopicPartition] = set()
        """Compacting them has failed: not tried again before the next start."""

    def open(self, partition: TopicPartition, topic_id: TopicId, config: TopicConfig) -> Log:
        """See `LogStore.open`."""
        log = self._logs.get(partition)
        if log is not None:
            return log
        directory = self._directory
        try:
            folder = directory.partition_folder(partition, topic_id)
        except DataDirectoryError as damage:
            raise StorageFailed(str(damage)) from damage
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
        self._logs[partition] = log
        self._report(partition, log)
        return log

    async def recover(self, configs: Mapping[TopicPartition, TopicConfig], *, threads: int) -> None:
        """See `LogStore.recover`."""
        directory = self._directory
        if directory.was_clean:
            return
        unclean = directory.unclean_logs(
            {partition: log_config(config) for partition, config in configs.items()}
        )
        done = await recover_logs(
            directory.files, unclean, threads=threads, clock=self._clock, log=self._log
        )
        for one in done:
            if one.failure is not None:
                self._log.error(
                    "partition_offline", partition=str(one.partition), reason=one.failure
                )
            elif one.report is not None and one.report.cut is not None:
                self._report_cut(one.partition, one.report.cut)
        try:
            directory.note_recovered([one for one in done if one.failure is None])
        except OSError as failure:
            self._log.error("checkpoint_failed", reason=str(failure))

    def set_aside_strays(self, known: Collection[TopicPartition]) -> None:
        """See `LogStore.set_aside_strays`."""
        try:
            self._directory.set_aside_strays(known)
        except DataDirectoryError as failure:
            self._log.error("strays_not_set_aside", reason=str(failure))
        self._report_problems()

    def _report_problems(self) -> None:
        for problem in self._directory.problems:
            self._log.warning("data_directory_problem", problem=problem)
        self._directory.problems.clear()

    def _report(self, partition: TopicPartition, log: Log) -> None:
        """Tell the operator what opening a log has met."""
        self._report_problems()
        cut = log.recovery_report.cut
        if cut is not None:
            self._report_cut(partition, cut)

    def _report_cut(self, partition: TopicPartition, cut: Cut) -> None:
        self._log.warning("log_cut", partition=str(partition), **cut._asdict())

    def exists(self, partition: TopicPartition) -> bool:
        """See `LogStore.exists`."""
        return partition in self._logs or self._directory.has_partition(partition)

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

        def note(clean_offset: int) -> None:
            if self._logs.get(partition) is log:
                self._directory.note_clean(partition, clean_offset)

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
            self._directory.clean_offsets.get(partition),
            upper_bound=upper_bound,
            now_ms=self._clock.now_ms(),
        )

    @contextlib.contextmanager
    def _refusing(self, partition: TopicPartition) -> Iterator[None]:
        try:
            yield
        except (OSError, CorruptBatch, OverflowError, struct.error) as failure:
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
            self._directory.delete_partition(partition, delay_ms=config.file_delete_delay_ms)
        except DataDirectoryError as failure:
            self._log.error("partition_not_deleted", partition=str(partition), reason=str(failure))

    def directory(self) -> LogDirectory:
        """See `LogStore.directory`."""
        directory = self._directory
        try:
            space = directory.files.space(directory.path)
        except OSError:
            space = UNKNOWN_SPACE
        return LogDirectory(
            directory.files.absolute(directory.path),
            directory.directory_id,
            space.total_bytes,
            space.usable_bytes,
        )

    def size_bytes(self, partition: TopicPartition) -> int:
        """See `LogStore.size_bytes`."""
        log = self._logs.get(partition)
        return self._directory.size_bytes(partition) if log is None else log.size_bytes

    async def save_log_starts(self) -> None:
        """See `LogStore.save_log_starts`."""
        try:
            await _written(self._directory.write_log_starts(self._logs))
        except OSError as failure:
            raise StorageFailed(f"the log starts could not be written: {failure}") from failure

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
        self._directory.note_positions(self._logs, high_watermarks)
        try:
            await _written(self._directory.write_checkpoints())
        except OSError as failure:
            self._log.error("checkpoint_failed", reason=str(failure))

    async def _settle(self, logs: Sequence[Log], *, threads: int) -> None:
        """Have all of these logs on disk, indexes included: they need not be checked then."""
        ends = [log.end_offset for log in logs]
        for log in logs:
            log.finish()
        await self._flusher.flush_all([log.durability for log in logs], threads=threads)
        for log, end_offset in zip(logs, ends, strict=True):
            log.settled(end_offset)

    async def close(self, high_watermarks: Mapping[TopicPartition, int]) -> bool:
        """See `LogStore.close`."""
        self._cleaner.close()
        await self._settle(list(self._logs.values()), threads=CLOSING_THREADS)
        return self._directory.close(self._logs, high_watermarks)


async def _written(checkpoints: Future[None]) -> None:
    """Those of files in memory are written already, and then nobody else has a turn."""
    if checkpoints.done():
        checkpoints.result()
    else:
        await asyncio.wrap_future(checkpoints)


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
