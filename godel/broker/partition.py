"""A partition as its leader sees it: what may be appended, what is visible, who waits for it.

Offsets, in their asserted order: `log_start <= flushed <= end` below the seam, and
`last_stable <= high_watermark <= end` here. Visible means durable: the high watermark is the
flushed offset of the log, and only with `write.caching` its end. It never goes down.
Plays the part of Kafka's `Partition` and `UnifiedLog` above the segments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from godel.broker.leader_epochs import EpochEnd, LeaderEpochs
from godel.broker.producer_state import ProducerState
from godel.broker.waiting import Waiter
from godel.config.topic import TopicConfig
from godel.errors import ApiError, CorruptBatch, ErrorCode, StorageFailed
from godel.records.batch import (
    LENGTH_PREFIX_SIZE,
    BatchHeader,
    EndMarker,
    parse_header,
    read_end_marker,
)
from godel.records.builder import control_batch
from godel.records.compression import Compression
from godel.records.partition_log import (
    EMPTY_SLICE,
    CleanerLimits,
    LogSlice,
    LogStore,
    PartitionLog,
    TimestampOffset,
)
from godel.records.transactions import AbortedTransaction
from godel.records.validation import ProduceRules, check_produced, verified
from godel.types import Buffer, TopicId, TopicPartition

NO_TIMESTAMP = -1
NOWHERE = -1
"""The high watermark of what is offline: no consumer is there, so each one's read is tried."""


class Appended(NamedTuple):
    """What became of a produced batch. `next_offset` is what has to be committed for acks=all."""

    base_offset: int
    log_append_time_ms: int
    next_offset: int


class Partition:
    """One partition and all its volatile state. Owned by the `Broker`, used on its event loop only.

    The log is opened at first use, so that ten thousand idle partitions cost ten thousand small
    objects and no descriptor.
    """

    __slots__ = (
        "_durable",
        "_invisible",
        "_log",
        "_logs",
        "_on_failure",
        "_rules",
        "batches_in",
        "bytes_in",
        "bytes_out",
        "config",
        "epochs",
        "high_watermark",
        "id",
        "is_closed",
        "leader_epoch",
        "log_start_offset",
        "messages_in",
        "producers",
        "topic_id",
        "waiters",
    )

    def __init__(
        self,
        partition: TopicPartition,
        topic_id: TopicId,
        *,
        leader_epoch: int,
        config: TopicConfig,
        logs: LogStore,
        on_failure: Callable[[TopicPartition, str], None],
    ) -> None:
        self.id = partition
        self.topic_id = topic_id
        self.leader_epoch = leader_epoch
        self.producers = ProducerState()
        self.epochs = LeaderEpochs()
        self.waiters: set[Waiter] = set()
        self.is_closed = False
        self._logs = logs
        self._on_failure = on_failure
        self._log: PartitionLog | None = None
        self.high_watermark = 0
        """The first offset that consumers do not see yet. Kept here: every Fetch looks at it."""
        self.log_start_offset = 0
        """The first offset that there is. Both are right once the log is open."""
        self._invisible: deque[tuple[int, int]] = deque()
        """Offset behind a batch and its size, for batches above the high watermark."""
        self.messages_in = self.batches_in = self.bytes_in = self.bytes_out = 0
        """Appended and fetched since the broker started, for its metrics."""
        self.configure(config)

    # -- life ---------------------------------------------------------------------------------

    @property
    def log(self) -> PartitionLog:
        log = self._log
        return log if log is not None else self.open()

    @property
    def opened_log(self) -> PartitionLog | None:
        """The log where it has been opened; what no one has touched needs no maintenance."""
        return self._log

    def open(self) -> PartitionLog:
        """Open the log and restore what stands above it. Raises KAFKA_STORAGE_ERROR."""
        if self.is_closed:
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        try:
            log = self._logs.open(self.id, self.topic_id, self.config)
            self.epochs = LeaderEpochs(log.leader_epochs())
            self.epochs.truncate_prefix(log.log_start_offset)
            snapshot_offset, producers = log.latest_producers()
            self.producers.restore(producers)
            log.replay(snapshot_offset, self.producers.replay)
        except (StorageFailed, CorruptBatch) as failure:
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure
        self.high_watermark = log.log_start_offset
        self.adopt(log)
        return log

    def adopt(self, log: PartitionLog) -> None:
        """Go on with this log: it was opened, or has the same batches in another directory."""
        if self._log is not None:
            self._log.on_flushed = self._log.on_snapshot_due = None
        log.on_flushed = self._flushed_or_fenced
        log.on_snapshot_due = self._save_producers
        self._log = log
        self.log_start_offset = log.log_start_offset
        self._log_moved()

    def configure(self, config: TopicConfig) -> None:
        """Take over a topic's settings, at any time."""
        self.config = config
        self._rules = produce_rules(config)
        self._durable = not config.write_caching
        if self._log is not None:
            self._log_moved()

    def close(self) -> None:
        """The partition goes away, or the broker stops: whoever waits looks again at once."""
        self.is_closed = True
        if self._log is not None:
            self._log.on_flushed = None
            self._log.on_snapshot_due = None
        self.wake_waiters()

    def go_offline(self) -> None:
        """The disk below has failed and the log is closed: to open it again tells why."""
        if self._log is not None:
            self._log.on_flushed = self._log.on_snapshot_due = None
            self._log = None
        self.high_watermark = NOWHERE
        self._invisible.clear()
        self.wake_waiters()

    def wake_waiters(self) -> None:
        for waiter in tuple(self.waiters):
            waiter.wake()

    def _save_producers(self) -> None:
        self.log.save_producers(self.producers.snapshot())

    # -- offsets ------------------------------------------------------------------------------

    @property
    def last_stable_offset(self) -> int:
        """Everything before it is decided: the earliest open transaction, else the high watermark.

        Records of an open transaction may be deleted like others; then it is the log's start.
        """
        high_watermark = self.high_watermark
        first_unstable = self.producers.first_unstable_offset
        if first_unstable is None or first_unstable >= high_watermark:
            return high_watermark
        return max(first_unstable, self.log_start_offset)

    @property
    def end_offset(self) -> int:
        return self.log.end_offset

    def _flushed_or_fenced(self) -> None:
        failure = self.log.failure
        if failure is not None:
            self._on_failure(self.id, failure)
        self._log_moved()

    def _log_moved(self) -> None:
        """The log's end or its flushed offset moved: let the high watermark follow."""
        log = self._log
        assert log is not None
        visible = log.flushed_offset if self._durable else log.end_offset
        if visible > self.high_watermark:
            assert visible <= log.end_offset, (visible, log.end_offset)
            size_bytes = 0
            invisible = self._invisible
            while invisible and invisible[0][0] <= visible:
                size_bytes += invisible.popleft()[1]
            self._show(visible, size_bytes)

    def _show(self, high_watermark: int, size_bytes: int) -> None:
        """So many bytes more are visible: tell those who wait.

        While a transaction is open, fewer of them are stable; with its end, more.
        """
        producers = self.producers
        before = None if producers.first_unstable_offset is None else self.last_stable_offset
        self.high_watermark = high_watermark
        if before is not None:
            producers.settle(high_watermark)
        for waiter in tuple(self.waiters):
            if before is None or not waiter.committed_only:
                waiter.notify(size_bytes)
            elif self.last_stable_offset > before:
                waiter.wake()

    # -- writing ------------------------------------------------------------------------------

    def append(self, records: Buffer | None, *, now_ms: int, zstd_allowed: bool = True) -> Appended:
        """Check a client's batch and store it; raises ApiError with the code of the refusal."""
        header, data = check_produced(
            records, self._rules, now_ms=now_ms, zstd_allowed=zstd_allowed
        )
        log_append_time_ms = header.max_timestamp if header.has_log_append_time else NO_TIMESTAMP
        if header.is_transactional:
            raise ApiError(
                ErrorCode.INVALID_TXN_STATE, "transactions are not supported by this broker yet"
            )
        log = self.log
        if header.producer_id >= 0:
            duplicate = self.producers.check(header)
            if duplicate is not None:
                return Appended(
                    duplicate.base_offset, duplicate.log_append_time_ms, duplicate.last_offset + 1
                )
        base_offset = self._store(header, data, now_ms)
        return Appended(base_offset, log_append_time_ms, log.end_offset)

    def append_internal(self, batch: bytes, header: BatchHeader) -> int:
        """Store a batch that the broker itself made; return the offset behind it.

        It may be part of a transaction; a coordinator's batches carry no sequence.
        """
        self._store(header, batch, None)
        return self.log.end_offset

    def end_transaction(
        self, producer_id: int, producer_epoch: int, marker: EndMarker, *, now_ms: int
    ) -> Appended:
        """Write what a transaction coordinator has decided (WriteTxnMarkers).

        Raises TRANSACTION_COORDINATOR_FENCED, INVALID_PRODUCER_EPOCH.
        """
        log = self.log
        self.producers.check_marker(producer_id, producer_epoch, marker)
        batch = control_batch(
            marker, producer_id=producer_id, producer_epoch=producer_epoch, timestamp_ms=now_ms
        )
        base_offset = self._store(parse_header(batch), batch, now_ms)
        return Appended(base_offset, NO_TIMESTAMP, log.end_offset)

    def _store(self, header: BatchHeader, data: Buffer, now_ms: int | None) -> int:
        log = self.log
        try:
            if self.epochs.latest < self.leader_epoch:
                self._begin_epoch(log)
            if header.is_control:
                base_offset = self._append_marker(log, header, data, now_ms)
            else:
                base_offset = log.append(header, data, self.leader_epoch)
                if header.producer_id >= 0:
                    self.producers.update(header, base_offset, now_ms)
        except StorageFailed as failure:
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure
        size_bytes = header.batch_length + LENGTH_PREFIX_SIZE
        self.batches_in += 1
        self.messages_in += header.records_count
        self.bytes_in += size_bytes
        if self._durable:
            self._invisible.append((log.end_offset, size_bytes))
        else:
            self._show(log.end_offset, size_bytes)
        return base_offset

    def _append_marker(
        self, log: PartitionLog, header: BatchHeader, data: Buffer, now_ms: int | None
    ) -> int:
        producers, marker = self.producers, read_end_marker(data)
        aborted = producers.aborted_by(header, log.end_offset, marker)
        base_offset = log.append(header, data, self.leader_epoch, aborted)
        producers.end_transaction(header, base_offset, marker, now_ms)
        return base_offset

    def _begin_epoch(self, log: PartitionLog) -> None:
        begun = LeaderEpochs(self.epochs.entries)
        begun.begin(self.leader_epoch, log.end_offset)
        log.save_leader_epochs(begun.entries)  # may fail: then it has not begun
        self.epochs = begun

    def committed(self, offset: int) -> Awaitable[None] | None:
        """Wait for everything below `offset` to be kept by the topic's durability rule.

        None: it is. The awaitable raises StorageFailed when it never will be.
        """
        if offset <= self.high_watermark:
            return None
        return self.log.committed(offset)

    def truncate_prefix(self, offset: int) -> None:
        """Move the log start (DeleteRecords); what lies below is no longer served.

        `log_start_saved` has to follow, when `LogStore.save_log_starts` has been waited for.
        """
        self.log.truncate_prefix(offset)
        self.log_start_offset = self.log.log_start_offset

    def log_start_saved(self) -> None:
        """Nothing brings back what lies below the log start: forget its leader epochs."""
        if self.epochs.truncate_prefix(self.log_start_offset):
            self.log.save_leader_epochs(self.epochs.entries)

    # -- reading ------------------------------------------------------------------------------

    def read(
        self,
        offset: int,
        max_bytes: int,
        *,
        committed_only: bool,
        at_least_one: bool,
        verify: bool = False,
    ) -> LogSlice:
        """Whole batches from the one that contains `offset`, as far as they are visible.

        `verify`: check every CRC, and give what lies before the first batch that is damaged.
        """
        log = self.log
        if offset < self.log_start_offset or offset > log.end_offset:
            raise ApiError(ErrorCode.OFFSET_OUT_OF_RANGE)
        upper_bound = self.last_stable_offset if committed_only else self.high_watermark
        if offset >= upper_bound:
            return EMPTY_SLICE
        try:
            found = log.read(offset, max_bytes, upper_bound=upper_bound, at_least_one=at_least_one)
            if verify and found is not None:
                found = verified(found)
        except CorruptBatch as corrupt:
            raise ApiError(ErrorCode.CORRUPT_MESSAGE, str(corrupt)) from corrupt
        except StorageFailed as failure:
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure
        assert found is not None, "the local store has every offset it reports"
        return found

    def aborted_transactions(self, offset: int, found: LogSlice) -> Sequence[AbortedTransaction]:
        """What a reader of committed records has to leave out of batches read from `offset` on."""
        with refusing_on_failure():
            if not found.size_bytes or not self.log.has_aborted(offset):
                return ()
            return self.log.aborted_transactions(offset, found.next_offset)

    def offset_for_timestamp(
        self, timestamp_ms: int, *, upper_bound: int
    ) -> TimestampOffset | None:
        with refusing_on_failure():
            return self.log.offset_for_timestamp(timestamp_ms, upper_bound=upper_bound)

    def max_timestamp(self, *, upper_bound: int) -> TimestampOffset | None:
        with refusing_on_failure():
            return self.log.max_timestamp(upper_bound=upper_bound)

    def end_of_epoch(self, epoch: int) -> EpochEnd:
        end_offset = self.log.end_offset
        return self.epochs.end_of(epoch, leader_epoch=self.leader_epoch, end_offset=end_offset)

    def epoch_at(self, offset: int) -> int:
        """The leader epoch of the record at `offset`, or of the one that will be there."""
        if offset >= self.log.end_offset:
            return self.leader_epoch
        return self.epochs.at(offset)

    # -- maintenance --------------------------------------------------------------------------

    def maintain(self, now_ms: int, *, producer_expiration_ms: int) -> bool:
        """Retention and the expiry of idle producers. Opens no log in which nothing is due.

        True: `delete_old` has to follow, when `LogStore.save_log_starts` has been waited for.
        """
        if self._log is None and not self._logs.needs_retention(self.id, self.config):
            return False
        log = self.log
        is_outdated = bool(log.apply_retention(upper_bound=self.high_watermark))
        self.log_start_offset = log.log_start_offset
        self.producers.expire(now_ms, producer_expiration_ms)
        return is_outdated

    def delete_old(self) -> None:
        """Delete what lies below the log start, which is saved."""
        self.log_start_saved()
        self.log.delete_old_segments()

    def dirtiness(self) -> float | None:
        """How much compaction would find to do; None: nothing. Opens a log only if there is one."""
        if not self.config.is_compacted or self.is_closed:
            return None
        if self._log is None and not self._logs.exists(self.id):
            return None
        if self._log is None:
            self.open()
        return self._logs.dirtiness(self.id, upper_bound=self.last_stable_offset)

    async def compact(self, limits: CleanerLimits) -> bool:
        """Let the log drop what later records have replaced; False: something came in between."""
        return await self._logs.compact(
            self.id,
            upper_bound=self.last_stable_offset,
            producers=self.producers.snapshot(),
            limits=limits,
        )

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Fence a client that knows an older or a newer leader epoch; -1 asks for no check."""
        if current_leader_epoch < 0 or current_leader_epoch == self.leader_epoch:
            return
        if current_leader_epoch < self.leader_epoch:
            raise ApiError(ErrorCode.FENCED_LEADER_EPOCH)
        raise ApiError(ErrorCode.UNKNOWN_LEADER_EPOCH)


@contextmanager
def refusing_on_failure() -> Iterator[None]:
    """Tell a client about what reading the log met."""
    try:
        yield
    except CorruptBatch as corrupt:
        raise ApiError(ErrorCode.CORRUPT_MESSAGE, str(corrupt)) from corrupt
    except StorageFailed as failure:
        raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure


def produce_rules(config: TopicConfig) -> ProduceRules:
    """What a topic's settings mean for the check of a produced batch."""
    compression = config.compression_type
    levels = {
        Compression.GZIP: config.compression_gzip_level,
        Compression.LZ4: config.compression_lz4_level,
        Compression.ZSTD: config.compression_zstd_level,
    }
    return ProduceRules(
        max_message_bytes=config.max_message_bytes,
        segment_bytes=config.segment_bytes,
        compacted="compact" in config.cleanup_policy,
        timestamp_type_log_append=config.message_timestamp_type == "LogAppendTime",
        timestamp_before_max_ms=config.message_timestamp_before_max_ms,
        timestamp_after_max_ms=config.message_timestamp_after_max_ms,
        compression_type=compression,
        compression_levels=levels,
    )
