"""How far the logs of one data directory are, and the checkpoint files that say so.

    log-start-offset-checkpoint             where each log begins
    recovery-point-offset-checkpoint        up to where it need not be checked after a crash
    cleaner-offset-checkpoint               up to where it is compacted
    log-end-checkpoint                      where it ended when all of it was on disk
    replication-offset-checkpoint           its high watermark

`log-end-checkpoint` is ours, the others are Kafka's. What they say of a partition is forgotten with
its folder, never taken for its successor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future

from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, LogEnd, read_ends, read_offsets
from godel.storage.checkpoint_writer import CheckpointWriter, Offsets
from godel.storage.files import Files, join
from godel.storage.log import Log
from godel.storage.recovery_run import RecoveredLog
from godel.types import TopicPartition


class Positions:
    """Of one `DataDirectory`, which owns this: of all its logs, open or not."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._folder = folder
        self._writer = CheckpointWriter(files, folder)
        self.are_stale = False
        """The files still name a partition whose data is gone: they are to be written first."""
        self.recovery_points: dict[TopicPartition, int] = {}
        self.log_starts: dict[TopicPartition, int] = {}
        self.high_watermarks: dict[TopicPartition, int] = {}
        self.clean_offsets: dict[TopicPartition, int] = {}
        """How far each log is compacted. Lost, the next compaction begins at the log's start."""
        self.ends: dict[TopicPartition, LogEnd] = {}
        """Where logs that were durable to their end had it. Lost, they are checked."""
        self.checked_ends: dict[TopicPartition, int] = {}
        """The end offsets of the logs that were recovered since the start."""

    # Reading and forgetting

    def read(self, problems: list[str]) -> bool:
        """Read the files; False: so much of them is damaged that every log is to be checked.

        `problems` gets a sentence for each that is damaged. Raises OSError.
        """
        count = len(problems)
        for name, into in (
            (layout.RECOVERY_POINT_CHECKPOINT, self.recovery_points),
            (layout.LOG_START_CHECKPOINT, self.log_starts),
            (layout.HIGH_WATERMARK_CHECKPOINT, self.high_watermarks),
        ):
            try:
                into.update(read_offsets(self._files, join(self._folder, name)))
            except DamagedCheckpoint as damage:
                problems.append(f"{damage}; every log is checked as after a crash")
        is_sound = len(problems) == count
        try:
            path = join(self._folder, layout.CLEANER_CHECKPOINT)
            self.clean_offsets = read_offsets(self._files, path)
        except DamagedCheckpoint as damage:
            problems.append(f"{damage}; every log counts as not compacted")
            self.are_stale = True
        try:
            self.ends = read_ends(self._files, join(self._folder, layout.LOG_END_CHECKPOINT))
        except DamagedCheckpoint as damage:
            problems.append(f"{damage}; no log counts as unchanged")
            self.are_stale = True
        return is_sound

    def partitions(self) -> set[TopicPartition]:
        """Those of which the files say something."""
        return {*self.log_starts, *self.recovery_points, *self.clean_offsets, *self.ends}

    def forget(self, partition: TopicPartition) -> None:
        """Its folder is gone."""
        self.high_watermarks.pop(partition, None)
        self.checked_ends.pop(partition, None)
        written: tuple[dict[TopicPartition, int] | dict[TopicPartition, LogEnd], ...] = (
            self.log_starts,
            self.recovery_points,
            self.clean_offsets,
            self.ends,
        )
        for kept in written:
            if kept.pop(partition, None) is not None:
                self.are_stale = True

    # Noting and writing

    def note(
        self, logs: Mapping[TopicPartition, Log], high_watermarks: Mapping[TopicPartition, int]
    ) -> None:
        """Take over how far the open logs are; `write` writes it."""
        for partition, log in logs.items():
            self.recovery_points[partition] = log.prepare_recovery()
            if log.durability.is_settled:
                active = log.segments[-1]
                self.ends[partition] = LogEnd(log.end_offset, active.base_offset, active.size_bytes)
            else:
                self.ends.pop(partition, None)
        self._note_log_starts(logs)
        self.high_watermarks.update(high_watermarks)

    def _note_log_starts(self, logs: Mapping[TopicPartition, Log]) -> None:
        for partition, log in logs.items():
            if log.log_start_offset > 0:  # segments that lay below it may come back
                self.log_starts[partition] = log.log_start_offset
            else:
                self.log_starts.pop(partition, None)

    def write(self) -> Future[None]:
        """Write how far the logs are, those that are not open included."""
        return self._write({layout.HIGH_WATERMARK_CHECKPOINT: self.high_watermarks})

    def write_recovery_points(self) -> Future[None]:
        """Write the same without the high watermarks, which only Kafka's tools ask for."""
        return self._write()

    def write_log_starts(self, logs: Mapping[TopicPartition, Log]) -> Future[None]:
        """Write where the open logs begin."""
        self._note_log_starts(logs)
        return self._writer.write({layout.LOG_START_CHECKPOINT: self.log_starts})

    def write_if_stale(self) -> None:
        """Before a folder is made under the name of one that is gone. Raises OSError."""
        if self.are_stale:
            self._write().result()

    def _write(self, more: Mapping[str, Offsets] | None = None) -> Future[None]:
        """The log starts go first: a recovery point may rest on one (`Log.truncate_prefix`)."""
        offsets = {
            layout.LOG_START_CHECKPOINT: self.log_starts,
            layout.RECOVERY_POINT_CHECKPOINT: self.recovery_points,
            layout.CLEANER_CHECKPOINT: self.clean_offsets,
        }
        were_stale, self.are_stale = self.are_stale, False
        written = self._writer.write(offsets | dict(more or {}), self.ends)

        def note_failure(done: Future[None]) -> None:
            if were_stale and done.exception() is not None:
                self.are_stale = True

        written.add_done_callback(note_failure)
        return written

    def note_clean(self, partition: TopicPartition, clean_offset: int) -> None:
        """Take over how far a log is compacted; the next checkpoint writes it."""
        self.clean_offsets[partition] = clean_offset

    def unsynced(self) -> Iterator[TopicPartition]:
        """Logs with `write.caching` that were recovered, and not opened or synced since."""
        for partition, end_offset in self.checked_ends.items():
            if self.recovery_points.get(partition, 0) < end_offset:
                yield partition

    def note_synced(self, partition: TopicPartition) -> None:
        """All that recovery found of a log is on disk."""
        self.recovery_points[partition] = self.checked_ends[partition]

    def note_recovered(self, recovered: Iterable[RecoveredLog]) -> None:
        """Their ends are known now. Raises OSError.

        What was written of the others' ends no longer holds: on a full disk it goes for good.
        """
        for one in recovered:
            self.checked_ends[one.partition] = one.end_offset
            self.recovery_points[one.partition] = one.flushed_offset
            if one.report is not None:
                self.ends.pop(one.partition, None)
        try:
            self._write().result()
        except OSError:
            path = join(self._folder, layout.LOG_END_CHECKPOINT)
            if self._files.exists(path):
                self._files.remove(path)
                self._files.sync_folder(self._folder)
            raise

    def take_over(self, partition: TopicPartition, log: Log, source: Positions) -> None:
        """Write down of a log that is about to come here what is known there. Raises OSError."""
        self._note_log_starts({partition: log})
        self.recovery_points[partition] = log.flushed_offset
        self.checked_ends[partition] = log.end_offset
        if partition in source.clean_offsets:
            self.clean_offsets[partition] = source.clean_offsets[partition]
        self._write().result()

    def close(self) -> None:
        """After what is being written."""
        self._writer.close()
