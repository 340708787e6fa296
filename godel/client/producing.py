"""Producing: records are gathered into batches, sent to leaders, and sent again where that is safe.

With acks=all the producer is idempotent (KIP-98), so that a batch sent twice is appended once. One
request per broker is under way at a time. A batch that is too large for the broker is halved; a
record that is refused is told by its number, counted from 1 in the order of `add`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from godel.client.cluster import Cluster, check, error_code
from godel.client.outcomes import NotFound
from godel.client.partitioning import partition_of
from godel.client.topics import all_topics
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from godel.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from godel.records.batch import NO_PRODUCER_ID, NO_SEQUENCE
from godel.records.builder import NewRecord, build_batch
from godel.records.compression import Compression
from godel.types import TopicPartition

ACKS_ALL, ACKS_NONE = -1, 0
BATCH_BYTES = 512 * 1024
BATCH_RECORDS = 10_000
RECORD_OVERHEAD_BYTES = 16
NAMED_TOPICS = 12
"""The last version of Produce that names topics instead of giving their id."""
CREATION_PATIENCE_MS = 5_000
LARGEST_SEQUENCE = 0x7FFFFFFF


class Rejected(NamedTuple):
    """A record that was not appended."""

    number: int
    partition: int
    error: ApiError


@dataclass(slots=True)
class Batch:
    """Records on their way to one partition, with the numbers that `add` gave them."""

    records: list[NewRecord] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, record: NewRecord, number: int) -> None:
        self.records.append(record)
        self.numbers.append(number)
        self.size_bytes += len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES

    @property
    def is_full(self) -> bool:
        return self.size_bytes >= BATCH_BYTES or len(self.records) >= BATCH_RECORDS

    def halves(self) -> tuple[Batch, Batch]:
        first, second = Batch(), Batch()
        middle = len(self.records) // 2
        for at, (record, number) in enumerate(zip(self.records, self.numbers, strict=True)):
            (first if at < middle else second).add(record, number)
        return first, second


class Producer:
    """Produces to one topic. Owns the batches that are not sent yet; made by `open_producer`."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        partitions: int,
        *,
        acks: int = ACKS_ALL,
        compression: Compression = Compression.NONE,
        producer: tuple[int, int] = (NO_PRODUCER_ID, -1),
    ) -> None:
        self.partitions = partitions
        self.delivered = 0
        self.delivered_bytes = 0
        self.rejected: list[Rejected] = []
        self.next_offsets: dict[int, int] = {}
        """By partition: behind the last record that was appended."""
        self.last_numbers: dict[int, int] = {}
        """By partition: the number of that record."""
        self._cluster = cluster
        self._topic = topic
        self._acks = acks
        self._compression = compression
        self._producer_id, self._epoch = producer
        self._sequences: dict[int, int] = {}
        self._pending: dict[int, Batch] = {}
        self._count = 0
        self._sticky = 0

    async def add(self, record: NewRecord, partition: int | None = None) -> None:
        """Take a record; a batch that is full by then is sent first.

        Without a partition the key decides; records without a key stay together for a batch, and
        the next batch goes to the next partition.
        """
        self._count += 1
        if partition is None:
            key = record.key
            partition = partition_of(key, self.partitions) if key else self._sticky
        batch = self._pending.setdefault(partition, Batch())
        batch.add(record, self._count)
        if batch.is_full:
            await self.flush()

    async def flush(self) -> None:
        """Send everything and wait for the answers."""
        left, self._pending = self._pending, {}
        if not left:
            return
        self._sticky = (self._sticky + 1) % self.partitions
        try:
            await self._cluster.retried(lambda: self._attempt(left))
        except ApiError as error:
            for partition, batch in left.items():
                self._reject(partition, batch, error)

    async def _attempt(self, left: dict[int, Batch]) -> None:
        """Send what is left; what is done with, well or badly, is left no longer."""
        again: ApiError | None = None
        places = [TopicPartition(self._topic, partition) for partition in left]
        for leader, led in (await self._cluster.by_leader(places)).items():
            batches = {place.partition: left[place.partition] for place in led}
            for answer in await self._send(leader, batches):
                partition = answer.index
                code = error_code(answer.error_code)
                if code.retriable and code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                    again = ApiError(code, answer.error_message)
                    continue
                batch = left.pop(partition)
                if code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE) and (
                    len(batch.records) > 1
                ):
                    for half in batch.halves():
                        await self._send_half(partition, half)
                elif code in (ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER):
                    self._delivered(partition, batch, answer.base_offset)
                else:
                    self._refused(batch, answer)
        if again is not None:
            raise again

    async def _send_half(self, partition: int, half: Batch) -> None:
        await self._cluster.retried(lambda: self._attempt({partition: half}))

    async def _send(self, leader: int, batches: dict[int, Batch]) -> list[PartitionProduceResponse]:
        request = ProduceRequest(
            acks=self._acks,
            timeout_ms=int(self._cluster.timeout_ms),
            topic_data=[
                TopicProduceData(
                    name=self._topic,
                    partition_data=[
                        PartitionProduceData(index=partition, records=self._built(partition, batch))
                        for partition, batch in batches.items()
                    ],
                )
            ],
        )
        if self._acks == ACKS_NONE:
            connection = await self._cluster.node(leader)
            timeout_ms = self._cluster.timeout_ms
            await connection.post(request, timeout_ms=timeout_ms, at_most=NAMED_TOPICS)
            return [PartitionProduceResponse(index=each, base_offset=-1) for each in batches]
        answer = await self._cluster.ask_node(
            leader, request, ProduceResponse, at_most=NAMED_TOPICS
        )
        return [each for topic in answer.responses for each in topic.partition_responses]

    def _built(self, partition: int, batch: Batch) -> bytes:
        idempotent = self._producer_id != NO_PRODUCER_ID
        return build_batch(
            batch.records,
            timestamp_ms=self._cluster.clock.now_ms(),
            compression=self._compression,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            base_sequence=self._sequences.get(partition, 0) if idempotent else NO_SEQUENCE,
        )

    def _delivered(self, partition: int, batch: Batch, base_offset: int) -> None:
        count = len(batch.records)
        self.delivered += count
        self.delivered_bytes += batch.size_bytes - count * RECORD_OVERHEAD_BYTES
        self.last_numbers[partition] = batch.numbers[-1]
        self._sequences[partition] = self._sequences.get(partition, 0) + count & LARGEST_SEQUENCE
        if base_offset >= 0:
            self.next_offsets[partition] = base_offset + count

    def _refused(self, batch: Batch, answer: PartitionProduceResponse) -> None:
        """The broker names the bad records of a batch, but refuses all of it (KIP-467)."""
        code = error_code(answer.error_code)
        named = {each.batch_index: each.batch_index_error_message for each in answer.record_errors}
        for at, number in enumerate(batch.numbers):
            message = answer.error_message
            if named:
                message = named.get(at, "it was in a batch with a record that was refused")
            self.rejected.append(Rejected(number, answer.index, ApiError(code, message)))

    def _reject(self, partition: int, batch: Batch, error: ApiError) -> None:
        self.rejected += [Rejected(number, partition, error) for number in batch.numbers]


async def open_producer(
    cluster: Cluster,
    topic: str,
    *,
    acks: int = ACKS_ALL,
    compression: Compression = Compression.NONE,
    idempotent: bool = True,
) -> Producer:
    """A producer for a topic, which the broker may make on this occasion."""
    partitions = await _partition_count(cluster, topic)
    producer = (NO_PRODUCER_ID, -1)
    if idempotent and acks == ACKS_ALL:
        producer = await cluster.retried(lambda: _producer_id(cluster))
    return Producer(
        cluster, topic, partitions, acks=acks, compression=compression, producer=producer
    )


async def _partition_count(cluster: Cluster, topic: str) -> int:
    async def attempt() -> int:
        try:
            return len((await cluster.describe(topic, create=True)).partitions)
        except ApiError as error:
            if error.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:  # Kafka is still making it
                raise ApiError(ErrorCode.LEADER_NOT_AVAILABLE) from error
            raise

    try:
        return await cluster.retried(attempt, patience_ms=CREATION_PATIENCE_MS)
    except ApiError as error:
        if error.code is ErrorCode.LEADER_NOT_AVAILABLE:
            known = [each.name for each in await all_topics(cluster)]
            raise NotFound("topic", topic, known) from error
        raise


async def _producer_id(cluster: Cluster) -> tuple[int, int]:
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0x7FFFFFFF)
    answer = await cluster.ask_any(request, InitProducerIdResponse)
    check(answer.error_code)
    return answer.producer_id, answer.producer_epoch
