"""A partition's log on local disk: the `PartitionLog` of the daemon and the embedded broker.

    log_start <= flushed <= end;  segments: [base ... ) [base ... ) [base ... end)

Appends go to the last segment, through one `writev` into the page cache. When that is rolled stands
in `rolling.py`, how what is written gets durable in `durability.py`, how a folder becomes a log
again in `recovery.py`, what is deleted in `retention.py`, searching by time in `timestamps.py`.
Everything happens on the event loop but the syncs themselves.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from godel.clock import Clock, Randomness
from godel.errors import CorruptBatch, StorageFailed
from godel.records.batch import BatchHeader
from godel.records.partition_log import (
    EMPTY_SLICE,
    EpochStart,
    LogSlice,
    ProducerEntry,
    TimestampOffset,
)
from godel.records.transactions import AbortedTransaction
from godel.storage import aborted, recovery, retention, timestamps
from godel.storage.durability import Durability
from godel.storage.files import Files, parent
from godel.storage.flusher import Flusher
from godel.storage.log_config import LogConfig
from godel.storage.rolling import Rolling
from godel.storage.segment import Segment, create_segment
from godel.storage.segments import Segments
from godel.storage.sidecar_files import REPLAYED_BYTES, SidecarFiles
from godel.storage.transaction_index import TransactionIndex
from godel.storage.unread import answerable
from godel.types import Buffer, TopicId

_pack_prefix = struct.Struct(">qii").pack
PREFIX_SIZE = 16
"""Base offset, length and leader epoch: what is written anew; no CRC covers it."""


class Log:
    """Owned by its partition; one event loop. `Log.open` makes one."""

    def __init__(
        self,
        folder: str,
        *,
        files: Files,
        flusher: Flusher,
        clock: Clock,
        config: LogConfig,
        randomness: Randomness | None,
        loaded: recovery.LoadedLog,
    ) -> None:
        self.folder = folder
        self.recovery_report = loaded.report
        self.on_snapshot_due: Callable[[], None] | None = None
        self._files = files
        self._clock = clock
        self.config = config
        self._segments = Segments(loaded.segments)
        self._rolling = Rolling(config, clock=clock, randomness=randomness)
        self._log_start = loaded.log_start_offset
        self.sidecars = SidecarFiles(files, folder, loaded.snapshot_offsets)
        self.durability = Durability(
            folder,
            self._segments.active,
            flusher=flusher,
            clock=clock,
            config=config,
            flushed_offset=loaded.flushed_offset,
            unsynced_folders=loaded.unsynced_folders,
            is_settled=not loaded.report.was_checked,
        )
        self.sidecars.on_removed = self.durability.forget_paths
        for segment in loaded.segments:
            if segment.next_offset > loaded.flushed_offset:
                self.durability.add(*segment.data_files())
        self._snapshot_bytes = 0  # of the active segment lie before the newest producer snapshot
        self._is_closed = False
        self.is_swapping = False  # by compaction: nothing is deleted meanwhile
        self.is_moving = False  # to another directory: nothing is deleted or compacted meanwhile
        assert self._log_start <= self.flushed_offset <= self.end_offset, (
            f"{folder}: {self._log_start} <= {self.flushed_offset} <= {self.end_offset}"
        )

    @classmethod
    def open(
        cls,
        folder: str,
        *,
        files: Files,
        flusher: Flusher,
        clock: Clock,
        config: LogConfig,
        was_clean: bool = False,
        recovery_point: int = 0,
        flushed_offset: int | None = None,
        log_start_offset: int = 0,
        compacted_end: int = 0,
        topic_id: TopicId | None = None,
        randomness: Randomness | None = None,
    ) -> Log:
        """Open a partition's folder, or make it.

        `was_clean`: the broker that had it before stopped in good order, and `recovery_point` is
        the end of the log (of which all is durable, or as far as `flushed_offset`). Otherwise
        everything from the segment with `recovery_point` on is checked. What was found and done
        stands in `recovery_report`. `compacted_end`: see `recovery.load`. Raises OSError.
        """
        loaded = recovery.load(
            files,
            folder,
            config,
            was_clean=was_clean,
            recovery_point=recovery_point,
            flushed_offset=flushed_offset,
            log_start_offset=log_start_offset,
            compacted_end=compacted_end,
            now_ms=clock.now_ms(),
        )
        log = cls(
            folder,
            files=files,
            flusher=flusher,
            clock=clock,
            config=config,
            randomness=randomness,
            loaded=loaded,
        )
        if topic_id is not None and (
            loaded.lacks_topic_id or (loaded.report.was_checked and log.topic_id is None)
        ):
            log.sidecars.write_topic_id(topic_id)
            log.durability.add_folders(folder, parent(folder))
        return log

    # Offsets and settings

    @property
    def log_start_offset(self) -> int:
        return self._log_start

    @property
    def flushed_offset(self) -> int:
        return self.durability.flushed_offset

    @property
    def end_offset(self) -> int:
        return self.durability.end_offset

    @property
    def size_bytes(self) -> int:
        return self._segments.size_bytes

    @property
    def failure(self) -> str | None:
        """See `PartitionLog.failure`."""
        return self.durability.failure

    @property
    def on_flushed(self) -> Callable[[], None] | None:
        """See `PartitionLog.on_flushed`."""
        return self.durability.on_flushed

    @on_flushed.setter
    def on_flushed(self, called: Callable[[], None] | None) -> None:
        self.durability.on_flushed = called

    @property
    def segments(self) -> Sequence[Segment]:
        """Oldest first; the last one is the active segment. For reading."""
        return self._segments.all

    def configure(self, config: LogConfig) -> None:
        """Take new settings over, from the next append on; for what is unsynced at once."""
        self.config = config
        self._rolling.configure(config)
        self.durability.configure(config)

    # Appending

    def append(
        self,
        header: BatchHeader,
        data: Buffer,
        leader_epoch: int,
        aborted: AbortedTransaction | None = None,
    ) -> int:
        """See `PartitionLog.append`."""
        durability = self.durability
        if durability.failure is not None:
            raise StorageFailed(durability.failure)
        base_offset = durability.end_offset
        last_offset = base_offset + header.last_offset_delta
        length = header.batch_length
        size_bytes = length + 12
        segment = self._segments.active
        max_timestamp = header.max_timestamp
        noted: TransactionIndex | None = None
        try:
            if segment.file.size and self._rolling.is_due(
                segment, size_bytes, last_offset, max_timestamp
            ):
                segment = self.roll()
            if aborted is not None:
                noted = self._note_aborted(segment, aborted)
            segment.append(
                (_pack_prefix(base_offset, length, leader_epoch), memoryview(data)[PREFIX_SIZE:]),
                size_bytes,
                last_offset,
                max_timestamp,
            )
        except (OSError, CorruptBatch) as failure:
            if noted is not None:
                self._take_back(noted)
            raise durability.refuse("append", failure) from failure
        durability.written(last_offset + 1, size_bytes)
        return base_offset

    def _note_aborted(self, segment: Segment, aborted: AbortedTransaction) -> TransactionIndex:
        """Before its marker: one that is there has its entry, whatever happens. Raises OSError."""
        index = segment.add_aborted(aborted)
        self.durability.add(index.file)
        self.durability.add_folders(self.folder)
        return index

    def _take_back(self, index: TransactionIndex) -> None:
        """The marker could not be written. An entry that stays would hide records: a fence."""
        try:
            index.remove_last()
        except OSError as failure:
            self.durability.fence("transaction index", failure)

    def roll(self) -> Segment:
        """Close the active segment and begin a new one at the end offset. Raises OSError."""
        if self.on_snapshot_due is not None:
            self.on_snapshot_due()
        closing = self._segments.active
        indexes = closing.indexes.finish()
        segment = create_segment(
            self._files,
            self.folder,
            self.end_offset,
            config=self.config,
            created_ms=self._clock.now_ms(),
        )
        self._segments.limit_indexes()
        self.durability.add_folders(self.folder)
        self._segments.add(segment)
        self._snapshot_bytes = 0
        self._rolling.rolled()
        self.durability.rolled(closing, segment, *indexes)
        return segment

    # Durability

    def committed(self, offset: int) -> Awaitable[None] | None:
        """See `PartitionLog.committed`."""
        return self.durability.committed(offset)

    def flush(self) -> None:
        """Sync what is unsynced before returning. Raises `StorageFailed`."""
        self.durability.flush()

    # Reading

    def read(
        self, offset: int, max_bytes: int, *, upper_bound: int, at_least_one: bool
    ) -> LogSlice | None:
        """See `PartitionLog.read`. One segment at a time, as Kafka does."""
        assert offset >= self._log_start, f"{offset} is before {self._log_start}"
        upper_bound = min(upper_bound, self.end_offset)
        if self._is_closed:
            raise StorageFailed(f"{self.folder}: the log is closed")
        try:
            found = self._segments.read(
                offset, max_bytes, upper_bound=upper_bound, at_least_one=at_least_one
            )
        except OSError as failure:
            self.durability.tell(failure)
            raise StorageFailed(f"{self.folder}: read failed: {failure}") from failure
        return EMPTY_SLICE if found is None else answerable(found, self.durability)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if self._is_closed:
            raise StorageFailed(f"{self.folder}: the log is closed")
        try:
            yield
        except OSError as failure:
            self.durability.tell(failure)
            raise StorageFailed(f"{self.folder}: read failed: {failure}") from failure

    def offset_for_timestamp(
        self, timestamp_ms: int, *, upper_bound: int
    ) -> TimestampOffset | None:
        """See `PartitionLog.offset_for_timestamp`."""
        with self._reading():
            return timestamps.first_at_or_after(
                self.segments, timestamp_ms, self._log_start, min(upper_bound, self.end_offset)
            )

    def max_timestamp(self, *, upper_bound: int) -> TimestampOffset | None:
        """See `PartitionLog.max_timestamp`."""
        with self._reading():
            return timestamps.largest(
                self.segments, self._log_start, min(upper_bound, self.end_offset)
            )

    # Transactions

    def has_aborted(self, start: int) -> bool:
        """See `PartitionLog.has_aborted`."""
        return self._segments.has_aborted(start)

    def aborted_transactions(self, start: int, upper_bound: int) -> list[AbortedTransaction]:
        """See `PartitionLog.aborted_transactions`."""
        with self._reading():
            return aborted.collect(
                self.segments,
                self._segments.number_of(start),
                start=start,
                upper_bound=upper_bound,
                snapshots=self.sidecars.latest_producers,
            )

    def replay(self, from_offset: int, on_batch: Callable[[BatchHeader, memoryview], None]) -> None:
        """See `PartitionLog.replay`."""
        with self._reading():
            recovery.replay(self.segments, from_offset, on_batch)

    # Deleting

    def truncate_prefix(self, new_start: int) -> None:
        """See `PartitionLog.truncate_prefix`. `delete_old_segments` deletes the segments."""
        assert new_start <= self.end_offset, f"{new_start} is beyond the end {self.end_offset}"
        if new_start > self._log_start:
            self._log_start = new_start
            self.durability.passed(new_start)

    def apply_retention(self, *, upper_bound: int) -> list[retention.Deletion]:
        """See `PartitionLog.apply_retention`."""
        if self.failure is not None or self.is_swapping or self.is_moving:
            return []
        with self._reading():
            plan = retention.outdated(
                self.segments,
                self.config,
                now_ms=self._clock.now_ms(),
                log_start_offset=self._log_start,
                upper_bound=upper_bound,
            )
        if len(plan) == len(self.segments) and not self._begin_anew():
            plan.pop()
        if plan:
            self.truncate_prefix(self._segments.bases[len(plan)])
        return plan

    def _begin_anew(self) -> bool:
        """Roll, so that all segments may go; False: the disk is full, and the last one stays."""
        try:
            self.roll()
        except (OSError, StorageFailed) as failure:
            refusal = self.durability.refuse("roll", failure)
            if self.failure is not None:
                raise refusal from failure
            return False
        return True

    def delete_old_segments(self, at_most: int = sys.maxsize) -> None:
        """See `PartitionLog.delete_old_segments`."""
        if self.failure is not None or self.is_swapping or self.is_moving:
            return
        with self.durability.writing("deletion"):
            while at_most and (outdated := self._segments.first_below(self._log_start)):
                at_most -= 1
                self._let_go(outdated)
                self._segments.remove_first()
            self.sidecars.forget_snapshots(self._segments.bases)

    def _let_go(self, segment: Segment) -> None:
        """Delete a segment's files."""
        delay_ms = self.config.file_delete_delay_ms
        retention.delete(self._files, segment, clock=self._clock, delay_ms=delay_ms)
        self.durability.add_folders(self.folder)
        self.durability.forget(segment.files())
        segment.close()

    def replace_segments(self, old: Sequence[Segment], new: Segment) -> None:
        """Let a compacted copy take the place of what it was made from. Raises OSError."""
        self._segments.replace(old, new)
        for segment in reversed(old):
            self._let_go(segment)

    # What the broker keeps beside the batches

    @property
    def topic_id(self) -> TopicId | None:
        """The id in `partition.metadata`. Raises `DamagedCheckpoint`."""
        return self.sidecars.topic_id()

    def leader_epochs(self) -> list[EpochStart]:
        """The checkpointed epochs, and those that recovery saw beyond them."""
        return self.sidecars.leader_epochs(self.recovery_report.leader_epochs, self.end_offset)

    def save_leader_epochs(self, epochs: Sequence[EpochStart]) -> None:
        """See `PartitionLog.save_leader_epochs`."""
        with self.durability.writing("checkpoint"):
            self.sidecars.write_leader_epochs(epochs)

    def latest_producers(self) -> tuple[int, list[ProducerEntry]]:
        """The newest whole snapshot and its offset: replay from there. (log start, []): none."""
        return self.sidecars.latest_producers(self.end_offset) or (self._log_start, [])

    def save_producers(self, producers: Sequence[ProducerEntry]) -> None:
        """See `PartitionLog.save_producers`."""
        if self.sidecars.has_producers(self.end_offset):
            return
        with self.durability.writing("snapshot"):
            file = self.sidecars.write_producers(self.end_offset, producers, self._segments.bases)
        self._snapshot_bytes = self._segments.active.size_bytes
        self.durability.add(file)
        self.durability.add_folders(self.folder)

    # The end

    def prepare_recovery(self) -> int:
        """Write the indexes so far, for a quick recovery; return the recovery point.

        And the producers, where much would have to be replayed.
        """
        if self.failure is None and not self.durability.is_settled:
            with suppress(StorageFailed), self.durability.writing("index"):
                active = self._segments.active
                if not active.indexes.need_no_files:
                    active.indexes.write()
                unsaved_bytes = active.size_bytes - self._snapshot_bytes
                if unsaved_bytes > REPLAYED_BYTES and self.on_snapshot_due is not None:
                    self.on_snapshot_due()
        return self.durability.recovery_point

    def close(self) -> None:
        """Have all of it on disk, and let every file go. Raises `StorageFailed` when it is not."""
        if self._is_closed:
            return
        try:
            self.durability.settle()
        finally:
            self.abandon("the log is closed")

    def abandon(self, reason: str) -> None:
        """Let go of everything without a sync: the partition is deleted, or the log failed."""
        self._is_closed = True
        self.durability.abandon(reason)
        for segment in self.segments:
            segment.close()
