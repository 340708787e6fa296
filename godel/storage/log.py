"""A partition's log on local disk: the `PartitionLog` of the daemon and the embedded broker.

    log_start <= flushed <= end;  segments: [base ... ) [base ... ) [base ... end)

Appends go to the last segment, through one `writev` into the page cache. What is written is made
durable by the `Flusher`; a failed write or sync fences the log until the next start. Everything
happens on the event loop but the syncs themselves. How a folder becomes a log again stands in
`recovery.py`, what is deleted in `retention.py`, searching by time in `timestamps.py`.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from godel.clock import Clock, Randomness, Timer
from godel.errors import CorruptBatch, StorageFailed
from godel.records.batch import BatchHeader
from godel.records.partition_log import (
    EMPTY_SLICE,
    EpochStart,
    LogSlice,
    ProducerEntry,
    TimestampOffset,
)
from godel.storage import recovery, retention, timestamps
from godel.storage.files import Files, parent
from godel.storage.flusher import Flusher, FlushWaiters, SyncPlan, Unsynced, failed_future
from godel.storage.log_config import LONGEST_TIMER_MS, LogConfig
from godel.storage.offset_index import MAX_RELATIVE_OFFSET
from godel.storage.segment import Segment, create_segment, limit_indexes
from godel.storage.sidecar_files import SidecarFiles
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
        self.on_flushed: Callable[[], None] | None = None
        self.on_roll: Callable[[], None] | None = None
        self._files = files
        self._flusher = flusher
        self._clock = clock
        self._randomness = randomness
        self.config = config
        self._segments = loaded.segments
        self._bases = [segment.base_offset for segment in loaded.segments]
        self._active = loaded.segments[-1]
        self._log_start = loaded.log_start_offset
        self._flushed = loaded.flushed_offset
        self._end = loaded.end_offset
        self._sidecars = SidecarFiles(files, folder, loaded.snapshot_offsets)
        self._size_bytes = sum(segment.size_bytes for segment in loaded.segments)
        self._unsynced = Unsynced(loaded.unsynced_folders)
        self._waiters = FlushWaiters()
        self._is_sync_asked = False
        self._flush_timer: Timer | None = None
        self._failure: str | None = None
        self._is_closed = False
        self.is_swapping = False  # by compaction: nothing is deleted meanwhile
        self._adopt_config(config)
        self._check_order()

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
        log_start_offset: int = 0,
        topic_id: TopicId | None = None,
        randomness: Randomness | None = None,
    ) -> Log:
        """Open a partition's folder, or make it.

        `was_clean`: the broker that had it before stopped in good order, and `recovery_point` is
        the end of the log. Otherwise everything from the segment with `recovery_point` on is
        checked. What was found and done stands in `recovery_report`. Raises OSError.
        """
        loaded = recovery.load(
            files,
            folder,
            config,
            was_clean=was_clean,
            recovery_point=recovery_point,
            log_start_offset=log_start_offset,
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
            log._write_topic_id(topic_id)
        return log

    # Offsets and settings

    @property
    def log_start_offset(self) -> int:
        return self._log_start

    @property
    def flushed_offset(self) -> int:
        return self._flushed

    @property
    def end_offset(self) -> int:
        return self._end

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def failure(self) -> str | None:
        """Why the log is fenced or closed."""
        return self._failure

    @property
    def segments(self) -> Sequence[Segment]:
        """Oldest first; the last one is the active segment. For reading."""
        return self._segments

    def configure(self, config: LogConfig) -> None:
        """Take new settings over, from the next append on."""
        self._adopt_config(config)
        if self._is_durable and self._end > self._flushed:
            self._ask_for_sync()

    def _adopt_config(self, config: LogConfig) -> None:
        self.config = config
        self._is_durable = not config.write_caching
        self._active.roll_jitter_ms = self._jitter_ms()

    def _jitter_ms(self) -> int:
        limit_ms = min(self.config.segment_jitter_ms, self.config.segment_ms)
        return self._randomness.below(limit_ms) if limit_ms > 0 and self._randomness else 0

    # Appending

    def append(self, header: BatchHeader, data: Buffer, leader_epoch: int) -> int:
        """See `PartitionLog.append`."""
        if self._failure is not None:
            raise StorageFailed(self._failure)
        base_offset = self._end
        last_offset = base_offset + header.last_offset_delta
        length = header.batch_length
        size_bytes = length + 12
        segment = self._active
        max_timestamp = header.max_timestamp
        try:
            if segment.file.size and (
                segment.file.size + size_bytes > self.config.segment_bytes
                or last_offset - segment.base_offset > MAX_RELATIVE_OFFSET
                or segment.is_due(max_timestamp, self._clock, self.config)
            ):
                segment = self.roll()
            segment.append(
                (_pack_prefix(base_offset, length, leader_epoch), memoryview(data)[PREFIX_SIZE:]),
                size_bytes,
                last_offset,
                max_timestamp,
            )
        except (OSError, CorruptBatch) as failure:
            raise self._fence("append", failure) from failure
        self._end = last_offset + 1
        self._size_bytes += size_bytes
        if self._is_durable:
            if not self._is_sync_asked:
                self._ask_for_sync()
        else:
            self._note_cached()
        return base_offset

    def roll(self) -> Segment:
        """Close the active segment and begin a new one at the end offset. Raises OSError."""
        if self.on_roll is not None:
            self.on_roll()
        closing = self._active
        self._unsynced.add(closing.file, *closing.finish())
        segment = create_segment(
            self._files,
            self.folder,
            self._end,
            config=self.config,
            created_ms=self._clock.now_ms(),
            roll_jitter_ms=self._jitter_ms(),
        )
        limit_indexes(self._segments)
        self._unsynced.add_folders(self.folder)
        self._segments.append(segment)
        self._bases.append(segment.base_offset)
        self._active = segment
        self._ask_for_sync()
        return segment

    # Durability

    def committed(self, offset: int) -> Awaitable[None] | None:
        """See `PartitionLog.committed`."""
        if offset <= self._flushed:
            return None
        if self._failure is None and self._flusher.is_inline:
            self._flusher.flush_now(self)
            if offset <= self._flushed:
                return None
        if self._failure is not None:
            return failed_future(self._failure)
        self._ask_for_sync()
        return self._waiters.add(offset)

    def flush(self) -> None:
        """Sync what is unsynced before returning. Raises `StorageFailed`."""
        if self._failure is None and self._end > self._flushed:
            self._flusher.flush_now(self)
        if self._failure is not None:
            raise StorageFailed(self._failure)

    def _ask_for_sync(self) -> None:
        self._is_sync_asked = True
        self._flusher.request(self)

    def _note_cached(self) -> None:
        """After an append that need not be synced: `flush.messages` and `flush.ms`."""
        if self._end - self._flushed >= self.config.flush_messages:
            if not self._is_sync_asked:
                self._ask_for_sync()
        elif self._flush_timer is None and self.config.flush_ms <= LONGEST_TIMER_MS:
            self._flush_timer = self._clock.call_later(self.config.flush_ms, self._flush_is_due)

    def _flush_is_due(self) -> None:
        self._flush_timer = None
        if self._failure is None and self._end > self._flushed:
            self._ask_for_sync()

    def begin_sync(self) -> SyncPlan | None:
        """For the flusher: what is unsynced now, pinned."""
        self._is_sync_asked = False
        if self._failure is not None or not (self._end > self._flushed or self._unsynced.files):
            return None
        try:
            plan = self._unsynced.plan(self._active.file, self._end)
        except OSError as failure:
            self._fence("sync", failure)
            return None
        self._active.remember(self._end, self._active.size_bytes)
        return plan

    def end_sync(self, plan: SyncPlan, failure: OSError | None) -> None:
        """For the flusher: the plan was carried out, or not."""
        for file in plan.files:
            file.unpin()
        if self._failure is not None:
            return
        if failure is not None:
            self._fence("sync", failure)
            return
        if plan.up_to > self._flushed:
            self._flushed = plan.up_to
            self._check_order()
            self._waiters.flushed(plan.up_to)
            if self.on_flushed is not None:
                self.on_flushed()
        if self._end > self._flushed and (self._is_durable or self._waiters):
            self._ask_for_sync()

    def _fence(self, action: str, failure: Exception) -> StorageFailed:
        """Nothing is written or acknowledged from here on."""
        if self._failure is None:
            self._failure = f"{self.folder}: {action} failed: {failure}"
            self._stop_waiting()
            if self.on_flushed is not None:
                self.on_flushed()
        return StorageFailed(self._failure)

    def _stop_waiting(self) -> None:
        assert self._failure is not None
        self._flusher.forget(self)
        self._waiters.fail(self._failure)
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None

    def _check_order(self) -> None:
        assert self._log_start <= self._flushed <= self._end, (
            f"{self.folder}: {self._log_start} <= {self._flushed} <= {self._end}"
        )

    # Reading

    def read(
        self, offset: int, max_bytes: int, *, upper_bound: int, at_least_one: bool
    ) -> LogSlice | None:
        """See `PartitionLog.read`. One segment at a time, as Kafka does."""
        assert offset >= self._log_start, f"{offset} is before {self._log_start}"
        upper_bound = min(upper_bound, self._end)
        number = bisect_right(self._bases, offset) - 1
        if self._is_closed:
            raise StorageFailed(f"{self.folder}: the log is closed")
        try:
            while offset < upper_bound and number < len(self._segments):
                segment = self._segments[max(number, 0)]
                if segment.base_offset >= upper_bound:
                    break
                if segment is not self._active and not segment.has_indexes:
                    limit_indexes(self._segments)
                data = segment.read(
                    offset, max_bytes, upper_bound=upper_bound, at_least_one=at_least_one
                )
                if data is not None:
                    return LogSlice((data,), len(data)) if data else EMPTY_SLICE
                number += 1
        except OSError as failure:
            raise StorageFailed(f"{self.folder}: read failed: {failure}") from failure
        return EMPTY_SLICE

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if self._is_closed:
            raise StorageFailed(f"{self.folder}: the log is closed")
        try:
            yield
        except OSError as failure:
            raise StorageFailed(f"{self.folder}: read failed: {failure}") from failure

    def offset_for_timestamp(
        self, timestamp_ms: int, *, upper_bound: int
    ) -> TimestampOffset | None:
        """See `PartitionLog.offset_for_timestamp`."""
        with self._reading():
            return timestamps.first_at_or_after(
                self._segments, timestamp_ms, self._log_start, min(upper_bound, self._end)
            )

    def max_timestamp(self, *, upper_bound: int) -> TimestampOffset | None:
        """See `PartitionLog.max_timestamp`."""
        with self._reading():
            return timestamps.largest(self._segments, self._log_start, min(upper_bound, self._end))

    def replay(self, from_offset: int, on_batch: Callable[[BatchHeader, memoryview], None]) -> None:
        """Show every batch from the one with `from_offset` to the end, for the state above."""
        with self._reading():
            recovery.replay(self._segments, from_offset, on_batch)

    # Deleting

    def truncate_prefix(self, new_start: int) -> None:
        """See `PartitionLog.truncate_prefix`. `apply_retention` deletes the segments."""
        assert new_start <= self._end, f"{new_start} is beyond the end {self._end}"
        if new_start > self._log_start:
            self._log_start = new_start
            self._flushed = max(self._flushed, new_start)

    def apply_retention(self, *, upper_bound: int) -> list[retention.Deletion]:
        """Delete what retention and the log start allow, up to `upper_bound` (high watermark)."""
        if self._failure is not None or self.is_swapping:
            return []
        with self._reading():
            facts = [retention.facts(segment) for segment in self._segments]
        plan = retention.plan(
            facts,
            self.config,
            now_ms=self._clock.now_ms(),
            log_start_offset=self._log_start,
            upper_bound=upper_bound,
        )
        try:
            if len(plan) == len(self._segments):
                self.roll()
            for _ in plan:
                self._delete_oldest()
        except OSError as failure:
            raise self._fence("deletion", failure) from failure
        return plan

    def _delete_oldest(self) -> None:
        self._let_go(self._segments[0])
        self._size_bytes -= self._segments[0].size_bytes
        del self._segments[0], self._bases[0]
        self.truncate_prefix(self._segments[0].base_offset)
        self._sidecars.forget_snapshots(self._bases)

    def _let_go(self, segment: Segment) -> None:
        """Delete a segment's files."""
        delay_ms = self.config.file_delete_delay_ms
        retention.delete(self._files, segment, clock=self._clock, delay_ms=delay_ms)
        self._unsynced.add_folders(self.folder)
        self._unsynced.forget(segment.files())
        segment.close()

    def replace_segments(self, old: Sequence[Segment], new: Segment) -> None:
        """Let a compacted copy take the place of what it was made from. Raises OSError."""
        first = self._segments.index(old[0])
        self._segments[first : first + len(old)] = [new]
        self._bases[first : first + len(old)] = [new.base_offset]
        self._size_bytes = sum(segment.size_bytes for segment in self._segments)
        for segment in reversed(old):
            self._let_go(segment)

    # What the broker keeps beside the batches

    @property
    def topic_id(self) -> TopicId | None:
        """The id in `partition.metadata`. Raises `DamagedCheckpoint`."""
        return self._sidecars.topic_id()

    def _write_topic_id(self, topic_id: TopicId) -> None:
        self._unsynced.add(self._sidecars.write_topic_id(topic_id))
        self._unsynced.add_folders(self.folder, parent(self.folder))

    def leader_epochs(self) -> list[EpochStart]:
        """The checkpointed epochs, and those that recovery saw beyond them."""
        return self._sidecars.leader_epochs(self.recovery_report.leader_epochs, self._end)

    def save_leader_epochs(self, epochs: Sequence[EpochStart]) -> None:
        """See `PartitionLog.save_leader_epochs`."""
        try:
            self._sidecars.write_leader_epochs(epochs)
        except OSError as failure:
            raise self._fence("checkpoint", failure) from failure

    def latest_producers(self) -> tuple[int, list[ProducerEntry]]:
        """The newest whole snapshot and its offset: replay from there. (log start, []): none."""
        return self._sidecars.latest_producers(self._end) or (self._log_start, [])

    def save_producers(self, producers: Sequence[ProducerEntry]) -> None:
        """See `PartitionLog.save_producers`."""
        try:
            file = self._sidecars.write_producers(self._end, producers, self._bases)
        except OSError as failure:
            raise self._fence("snapshot", failure) from failure
        self._unsynced.add(file)
        self._unsynced.add_folders(self.folder)

    # The end

    def checkpoint(self) -> int:
        """Write the indexes so far, for a quick recovery; return the recovery point."""
        if self._failure is None:
            try:
                self._active.write_indexes()
            except OSError as failure:
                self._fence("index", failure)
        return self._flushed

    def close(self) -> None:
        """Sync, finish the indexes, let every file go. Raises `StorageFailed` when that fails."""
        if self._is_closed:
            return
        try:
            if self._failure is None:
                self._unsynced.add(*self._active.finish())
                self._flusher.flush_now(self)
        except OSError as failure:
            self._fence("close", failure)
        failed = self._failure
        self.abandon("the log is closed")
        if failed is not None:
            raise StorageFailed(failed)

    def abandon(self, reason: str) -> None:
        """Let go of everything without a sync: the partition is deleted, or the log failed."""
        self._is_closed = True
        self._failure = self._failure or f"{self.folder}: {reason}"
        self._stop_waiting()
        for segment in self._segments:
            segment.close()
