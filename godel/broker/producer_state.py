"""What a partition remembers of its producers (KIP-98, KIP-360; Kafka's `ProducerStateManager`).

For each producer id: its epoch, its last five batches, the epoch of the coordinator that ended its
last transaction. `check` decides about a client's batch, `update` takes over one that was appended,
`replay` does the same for what the log already holds. Batches without a producer id (-1) are the
caller's to leave out.

Transactions: a transactional batch opens one, a control batch ends it. Nothing from
`first_unstable_offset` on is decided for good: a transaction that has ended counts as open until
the high watermark is past its marker, since a crash may still take that away.

Deviations: Kafka expires a producer by the timestamps of its records, we by when we last heard of
it, so that a producer of old records keeps its protection; and at most `limit` producers are kept.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heappop, heappush
from typing import NamedTuple

from godel.errors import ApiError, ErrorCode
from godel.records.batch import NO_SEQUENCE, BatchHeader, EndMarker, read_end_marker
from godel.records.partition_log import ProducerEntry
from godel.records.transactions import AbortedTransaction, OpenTransactions
from godel.types import Buffer

BATCHES_REMEMBERED = 5
"""The Java client has at most five requests in flight, so a retry is among the last five."""

PRODUCERS_LIMIT = 10_000
"""Per partition; above it the producer heard of least recently is forgotten."""

NO_OFFSET = -1

_LARGEST_SEQUENCE = 0x7FFFFFFF


class Duplicate(NamedTuple):
    """A batch that the log has already: what its first answer said.

    Kafka answers a duplicate with the batch's timestamp as append time on CreateTime topics, too.
    """

    base_offset: int
    last_offset: int
    log_append_time_ms: int


class _Batch(NamedTuple):
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp_ms: int

    @property
    def first_sequence(self) -> int:
        return (self.last_sequence - self.offset_delta) & _LARGEST_SEQUENCE


class _Producer:
    __slots__ = (
        "batches",
        "coordinator_epoch",
        "epoch",
        "heard_ms",
        "next_sequence",
        "timestamp_ms",
    )

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: list[_Batch] = []
        self.next_sequence = 0
        self.coordinator_epoch = -1
        self.timestamp_ms = -1
        self.heard_ms: int | None = None
        """None: not since the log was opened; counts from the first `expire`."""

    def add(self, batch: _Batch) -> None:
        batches = self.batches
        if len(batches) == BATCHES_REMEMBERED:
            del batches[0]
        batches.append(batch)
        self.next_sequence = (batch.last_sequence + 1) & _LARGEST_SEQUENCE
        self.timestamp_ms = batch.timestamp_ms

    def enter_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch = epoch
            self.batches.clear()
            self.next_sequence = 0


class ProducerState:
    """The producers of one partition. Owned by its `Partition`."""

    __slots__ = ("_limit", "_open", "_producers", "_unsettled", "first_unstable_offset")

    def __init__(self, limit: int = PRODUCERS_LIMIT) -> None:
        self._limit = limit
        self._producers: dict[int, _Producer] = {}
        """In the order in which they were last heard of."""
        self._open = OpenTransactions()
        self._unsettled: list[tuple[int, int]] = []
        """A heap: first and last offset of transactions that ended above the high watermark."""
        self.first_unstable_offset: int | None = None
        """Kept here: every Fetch of committed records looks at it. None: all is decided."""

    def __len__(self) -> int:
        return len(self._producers)

    # -- what clients send ---------------------------------------------------------------------

    def check(self, header: BatchHeader) -> Duplicate | None:
        """Whether a batch comes next in its producer's sequence: None, and it may be appended.

        Raises INVALID_PRODUCER_EPOCH for a fenced producer, OUT_OF_ORDER_SEQUENCE_NUMBER for a gap
        or a duplicate of something older than the last five batches, INVALID_TXN_STATE for a batch
        outside the transaction that its producer has open.
        """
        producer = self._producers.get(header.producer_id)
        if producer is None:
            return None  # nothing known, or all of it deleted or expired: any sequence will do
        if header.producer_epoch != producer.epoch:
            _check_new_epoch(header, producer)
        elif header.base_sequence != producer.next_sequence:
            return _find_duplicate(header, producer)
        if header.producer_id in self._open and not header.is_transactional:
            raise ApiError(
                ErrorCode.INVALID_TXN_STATE,
                f"producer {header.producer_id} has a transaction open in this partition",
            )
        return None

    def update(self, header: BatchHeader, base_offset: int, now_ms: int | None) -> None:
        """Take over a checked data batch that was appended at `base_offset`."""
        self._add_batch(header, base_offset).heard_ms = now_ms

    def check_marker(self, producer_id: int, producer_epoch: int, marker: EndMarker) -> None:
        """Refuse a marker of a coordinator or for a producer that a newer one has replaced.

        Raises TRANSACTION_COORDINATOR_FENCED, INVALID_PRODUCER_EPOCH.
        """
        producer = self._producers.get(producer_id)
        if producer is None:
            return
        if producer_epoch < producer.epoch:
            raise _fenced(producer_id, producer_epoch, producer)
        if marker.coordinator_epoch < producer.coordinator_epoch:
            raise ApiError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"a coordinator of epoch {producer.coordinator_epoch} has ended a transaction of "
                f"producer {producer_id}, this one has {marker.coordinator_epoch}",
            )

    def aborted_by(
        self, header: BatchHeader, base_offset: int, marker: EndMarker | None
    ) -> AbortedTransaction | None:
        """What the control batch that gets `base_offset` will abort, for the index."""
        return self._open.aborted_by(marker, header.producer_id, base_offset)

    def end_transaction(
        self, header: BatchHeader, base_offset: int, marker: EndMarker | None, now_ms: int | None
    ) -> None:
        """Take over a control batch that was appended at `base_offset`."""
        first_offset = self._end(header, marker, now_ms)
        if first_offset is not None:
            heappush(self._unsettled, (first_offset, base_offset))
        self._find_first_unstable()

    def settle(self, high_watermark: int) -> None:
        """Every marker below the high watermark is there for good."""
        unsettled = self._unsettled
        while unsettled and unsettled[0][1] < high_watermark:
            heappop(unsettled)
        self._find_first_unstable()

    # -- what the log holds --------------------------------------------------------------------

    def replay(self, header: BatchHeader, batch: Buffer | None = None) -> None:
        """Take over a batch that the log holds; it was checked when it came.

        `batch` is read only for the coordinator's epoch in a control batch.
        """
        if header.producer_id < 0:
            return
        if header.is_control:
            self._end(header, read_end_marker(batch) if batch is not None else None, None)
            self._find_first_unstable()
        else:
            self._add_batch(header, header.base_offset)

    def restore(self, entries: Collection[ProducerEntry]) -> None:
        """Start from a snapshot: an entry for each batch remembered, oldest first.

        One that Kafka has written has of each producer only the last.
        """
        self._producers.clear()
        self._unsettled.clear()
        self._open = OpenTransactions(
            {one.producer_id: one.current_transaction_first_offset for one in entries}
        )
        self._find_first_unstable()
        for entry in entries:
            producer = self._hear_of(entry.producer_id, entry.producer_epoch)
            producer.enter_epoch(entry.producer_epoch)
            if entry.last_offset >= 0:
                batch = _Batch(
                    entry.last_sequence, entry.last_offset, entry.offset_delta, entry.timestamp_ms
                )
                producer.add(batch)
            producer.timestamp_ms = entry.timestamp_ms
            producer.coordinator_epoch = entry.coordinator_epoch

    def snapshot(self) -> list[ProducerEntry]:
        """Everything that a snapshot file keeps, least recently heard of first.

        A producer has an entry for each of its batches, the last one last, which is the one that
        Kafka goes by. With only that one (Kafka), a retry of an earlier batch would be out of order
        after a crash that follows the roll of a segment: fatal for a producer that did no wrong.
        """
        no_batch = _Batch(NO_SEQUENCE, NO_OFFSET, 0, -1)
        return [
            ProducerEntry(
                producer_id=producer_id,
                producer_epoch=producer.epoch,
                last_sequence=batch.last_sequence,
                last_offset=batch.last_offset,
                offset_delta=batch.offset_delta,
                timestamp_ms=batch.timestamp_ms if more else producer.timestamp_ms,
                coordinator_epoch=producer.coordinator_epoch,
                current_transaction_first_offset=self._begun_at(producer_id),
            )
            for producer_id, producer in self._producers.items()
            for more, batch in zip(
                range(max(len(producer.batches), 1) - 1, -1, -1),
                producer.batches or (no_batch,),
                strict=True,
            )
        ]

    def last_entries(self) -> list[ProducerEntry]:
        """One entry for each producer, with its last batch."""
        return list({entry.producer_id: entry for entry in self.snapshot()}.values())

    # -- forgetting ----------------------------------------------------------------------------

    def expire(self, now_ms: int, expiration_ms: int) -> int:
        """Forget producers not heard of for `expiration_ms`, but for those inside a transaction.

        The number of producers forgotten.
        """
        expired = []
        for producer_id, producer in self._producers.items():
            if producer.heard_ms is None:
                producer.heard_ms = now_ms
            elif now_ms - producer.heard_ms >= expiration_ms and producer_id not in self._open:
                expired.append(producer_id)
        for producer_id in expired:
            del self._producers[producer_id]
        return len(expired)

    # -- inside --------------------------------------------------------------------------------

    def _add_batch(self, header: BatchHeader, base_offset: int) -> _Producer:
        producer_id, delta = header.producer_id, header.last_offset_delta
        producer = self._hear_of(producer_id, header.producer_epoch)
        producer.enter_epoch(header.producer_epoch)
        producer.add(_Batch(header.last_sequence, base_offset + delta, delta, header.max_timestamp))
        if header.is_transactional:
            self._open.begin(producer_id, base_offset)
            self._find_first_unstable()
        return producer

    def _end(self, header: BatchHeader, marker: EndMarker | None, now_ms: int | None) -> int | None:
        """Take over a control batch; where the transaction began that it ends.

        `marker` None: the cleaner has emptied it, and nothing is left of the transaction.
        """
        producer = self._hear_of(header.producer_id, header.producer_epoch)
        producer.enter_epoch(header.producer_epoch)
        if marker is not None:
            producer.coordinator_epoch = marker.coordinator_epoch
        producer.timestamp_ms = header.max_timestamp
        producer.heard_ms = now_ms
        return self._open.end(header.producer_id)

    def _find_first_unstable(self) -> None:
        first_offset = self._open.first_offset
        if self._unsettled:
            ended = self._unsettled[0][0]
            first_offset = ended if first_offset is None else min(ended, first_offset)
        self.first_unstable_offset = first_offset

    def _begun_at(self, producer_id: int) -> int:
        first_offset = self._open.first_offset_of(producer_id)
        return NO_OFFSET if first_offset is None else first_offset

    def _hear_of(self, producer_id: int, epoch: int) -> _Producer:
        """The producer, made when there is none, as the one heard of most recently."""
        producers = self._producers
        producer = producers.pop(producer_id, None)
        if producer is None:
            if len(producers) >= self._limit:
                self._forget_one()
            producer = _Producer(epoch)
        producers[producer_id] = producer
        return producer

    def _forget_one(self) -> None:
        """Forget the producer heard of least recently, one inside a transaction only at last."""
        for producer_id in self._producers:
            if producer_id not in self._open:
                del self._producers[producer_id]
                return
        # Every one of them is inside a transaction: their first offsets must stay known, and
        # transactions are few, so let the limit be passed.


def _check_new_epoch(header: BatchHeader, producer: _Producer) -> None:
    if header.producer_epoch < producer.epoch:
        raise _fenced(header.producer_id, header.producer_epoch, producer)
    if header.base_sequence != 0 and producer.epoch >= 0:
        raise ApiError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"producer {header.producer_id} begins epoch {header.producer_epoch} "
            f"with sequence {header.base_sequence}",
        )


def _fenced(producer_id: int, producer_epoch: int, producer: _Producer) -> ApiError:
    return ApiError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        f"producer {producer_id} has epoch {producer.epoch}, the batch has {producer_epoch}",
    )


def _find_duplicate(header: BatchHeader, producer: _Producer) -> Duplicate:
    for batch in reversed(producer.batches):
        if (
            batch.last_sequence == header.last_sequence
            and batch.first_sequence == header.base_sequence
        ):
            return Duplicate(
                batch.last_offset - batch.offset_delta, batch.last_offset, batch.timestamp_ms
            )
    raise ApiError(
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        f"producer {header.producer_id} sent sequence {header.base_sequence}, "
        f"expected {producer.next_sequence}",
    )
