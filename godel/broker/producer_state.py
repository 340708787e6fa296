"""What a partition remembers of its producers (KIP-98, KIP-360; Kafka's `ProducerStateManager`).

For each producer id: its epoch, its last five batches, the first offset of its open transaction.
`check` decides about a client's batch, `update` takes over one that was appended, `replay` does the
same for what the log already holds. Batches without a producer id (-1) are the caller's to leave
out.

Transactions will live here: a transactional batch opens one, a control batch ends it; until then
nothing from `first_open_transaction_offset` on is stable.

Deviations: Kafka expires a producer by the timestamps of its records, we by when we last heard of
it, so that a producer of old records keeps its protection; and at most `limit` producers are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from godel.errors import ApiError, ErrorCode
from godel.records.batch import NO_SEQUENCE, BatchHeader, read_end_marker
from godel.records.partition_log import ProducerEntry
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
        "transaction_first_offset",
    )

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: list[_Batch] = []
        self.next_sequence = 0
        self.coordinator_epoch = -1
        self.timestamp_ms = -1
        self.transaction_first_offset = NO_OFFSET
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

    __slots__ = ("_limit", "_open_transactions", "_producers")

    def __init__(self, limit: int = PRODUCERS_LIMIT) -> None:
        self._limit = limit
        self._producers: dict[int, _Producer] = {}
        """In the order in which they were last heard of."""
        self._open_transactions: dict[int, int] = {}
        """Producer id to first offset, in the order of these offsets."""

    def __len__(self) -> int:
        return len(self._producers)

    @property
    def first_open_transaction_offset(self) -> int | None:
        if not self._open_transactions:
            return None
        return next(iter(self._open_transactions.values()))

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
        if producer.transaction_first_offset >= 0 and not header.is_transactional:
            raise ApiError(
                ErrorCode.INVALID_TXN_STATE,
                f"producer {header.producer_id} has a transaction open in this partition",
            )
        return None

    def update(self, header: BatchHeader, base_offset: int, now_ms: int) -> None:
        """Take over a checked data batch that was appended at `base_offset`."""
        self._add_batch(header, base_offset).heard_ms = now_ms

    def end_transaction(
        self, header: BatchHeader, *, coordinator_epoch: int | None, now_ms: int | None = None
    ) -> None:
        """Take over a control batch. `coordinator_epoch` None: the cleaner removed the marker."""
        producer = self._hear_of(header.producer_id, header.producer_epoch)
        producer.enter_epoch(header.producer_epoch)
        if coordinator_epoch is not None:
            producer.coordinator_epoch = coordinator_epoch
        producer.timestamp_ms = header.max_timestamp
        producer.heard_ms = now_ms
        producer.transaction_first_offset = NO_OFFSET
        self._open_transactions.pop(header.producer_id, None)

    # -- what the log holds --------------------------------------------------------------------

    def replay(self, header: BatchHeader, batch: Buffer | None = None) -> None:
        """Take over a batch that the log holds; it was checked when it came.

        `batch` is read only for the coordinator's epoch in a control batch.
        """
        if header.producer_id < 0:
            return
        if header.is_control:
            marker = read_end_marker(batch) if batch is not None else None
            coordinator_epoch = marker.coordinator_epoch if marker is not None else None
            self.end_transaction(header, coordinator_epoch=coordinator_epoch)
        else:
            self._add_batch(header, header.base_offset)

    def restore(self, entries: Iterable[ProducerEntry]) -> None:
        """Start from a snapshot: an entry for each batch remembered, oldest first.

        One that Kafka has written has of each producer only the last.
        """
        self._producers.clear()
        self._open_transactions.clear()
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
            producer.transaction_first_offset = entry.current_transaction_first_offset
        opened = [
            (producer.transaction_first_offset, producer_id)
            for producer_id, producer in self._producers.items()
            if producer.transaction_first_offset >= 0
        ]
        self._open_transactions.update(
            (producer_id, first) for first, producer_id in sorted(opened)
        )

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
                current_transaction_first_offset=producer.transaction_first_offset,
            )
            for producer_id, producer in self._producers.items()
            for more, batch in zip(
                range(max(len(producer.batches), 1) - 1, -1, -1),
                producer.batches or (no_batch,),
                strict=True,
            )
        ]

    # -- forgetting ----------------------------------------------------------------------------

    def expire(self, now_ms: int, expiration_ms: int) -> int:
        """Forget producers not heard of for `expiration_ms`, but for those inside a transaction.

        The number of producers forgotten.
        """
        expired = []
        for producer_id, producer in self._producers.items():
            if producer.heard_ms is None:
                producer.heard_ms = now_ms
            elif (
                now_ms - producer.heard_ms >= expiration_ms
                and producer.transaction_first_offset < 0
            ):
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
        if header.is_transactional and producer.transaction_first_offset < 0:
            producer.transaction_first_offset = base_offset
            self._open_transactions[producer_id] = base_offset
        return producer

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
        for producer_id, producer in self._producers.items():
            if producer.transaction_first_offset < 0:
                del self._producers[producer_id]
                return
        # Every one of them is inside a transaction: their first offsets must stay known, and
        # transactions are few, so let the limit be passed.


def _check_new_epoch(header: BatchHeader, producer: _Producer) -> None:
    if header.producer_epoch < producer.epoch:
        raise ApiError(
            ErrorCode.INVALID_PRODUCER_EPOCH,
            f"producer {header.producer_id} has epoch {producer.epoch}, "
            f"the batch has {header.producer_epoch}",
        )
    if header.base_sequence != 0:
        raise ApiError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"producer {header.producer_id} begins epoch {header.producer_epoch} "
            f"with sequence {header.base_sequence}",
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
