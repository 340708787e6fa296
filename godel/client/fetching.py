"""Reading records of assigned partitions, from offsets on, waiting for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import anyio

from godel.client.cluster import Cluster, error_code
from godel.client.connection import ConnectionFailed
from godel.client.offsets import spans
from godel.client.topics import by_topic
from godel.errors import ApiError, CorruptBatch, ErrorCode
from godel.protocol.messages.fetch import (
    AbortedTransaction,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from godel.records.batch import (
    BatchHeader,
    Record,
    check_crc,
    iterate_records,
    parse_header,
    read_end_marker,
)
from godel.types import TopicPartition

LANE = "fetch"
MAX_WAIT_MS = 500
MAX_BYTES = 50 * 1024 * 1024
PARTITION_MAX_BYTES = 1024 * 1024
NAMED_TOPICS = 12
"""The last version of Fetch that names topics instead of giving their id."""
PATIENCE_MS = 10_000
"""What a broker may take beyond the wait that it was asked for."""


class StoredBatch(NamedTuple):
    """A batch as it is in the log; `first` is the first offset in it that was asked for."""

    partition: TopicPartition
    header: BatchHeader
    batch: memoryview
    first: int

    def check(self) -> None:
        """Raises `CorruptBatch` where the CRC is wrong."""
        if not check_crc(self.batch, self.header):
            raise CorruptBatch(f"{self.partition} at {self.header.base_offset}: the CRC is wrong")

    def records(self) -> Iterator[Record]:
        """Its records from `first` on. Raises `CorruptBatch`."""
        self.check()
        for record in iterate_records(self.batch):
            if record.offset >= self.first:
                yield record


Moved = Callable[[TopicPartition, int, int], None]
"""Told when an offset is not there (any more): partition, from, to."""


class Reader:
    """Reads partitions. Owns their positions: the next offset of each."""

    def __init__(
        self,
        cluster: Cluster,
        positions: Mapping[TopicPartition, int],
        *,
        committed_only: bool = False,
        max_wait_ms: int = MAX_WAIT_MS,
        partition_max_bytes: int = PARTITION_MAX_BYTES,
        moved: Moved = lambda _partition, _before, _after: None,
    ) -> None:
        self.positions = dict(positions)
        self._cluster = cluster
        self._committed_only = committed_only
        self._max_wait_ms = max_wait_ms
        self._partition_max_bytes = partition_max_bytes
        self._moved = moved
        self._turn = 0

    async def poll(self) -> list[StoredBatch]:
        """What has come, perhaps nothing after `max_wait_ms`. Positions move behind it."""
        if not self.positions:
            await self._cluster.clock.sleep(self._max_wait_ms)
            return []
        return await self._cluster.retried(self._attempt)

    def stop_at(self, ends: Mapping[TopicPartition, int]) -> None:
        """Read no further in partitions that have reached their end. The others have none."""
        for partition, end in ends.items():
            if self.positions.get(partition, -1) >= end:
                del self.positions[partition]

    async def _attempt(self) -> list[StoredBatch]:
        led = await self._cluster.by_leader(self._in_turn())
        answers: list[FetchResponse] = []
        failures: list[Exception] = []

        async def fetch(leader: int, partitions: Sequence[TopicPartition]) -> None:
            try:
                answers.append(await self._fetch(leader, partitions))
            except Exception as error:  # noqa: BLE001 - raised below, without a group around it
                failures.append(error)

        async with anyio.create_task_group() as group:
            for leader, partitions in led.items():
                group.start_soon(fetch, leader, partitions)
        batches: list[StoredBatch] = []
        for answer in answers:
            for topic in answer.responses:
                for data in topic.partitions:
                    where = TopicPartition(topic.topic, data.partition_index)
                    try:
                        batches += await self._taken(where, data)
                    except (ApiError, ConnectionFailed) as error:
                        failures.append(
                            error
                        )  # what the others gave is taken: it will not come again
        if failures and not batches:
            raise failures[0]
        return batches

    def _in_turn(self) -> list[TopicPartition]:
        """The partitions, another one first each time, so that none is left out for ever."""
        partitions = list(self.positions)
        self._turn = (self._turn + 1) % len(partitions)
        return partitions[self._turn :] + partitions[: self._turn]

    async def _fetch(self, leader: int, partitions: Sequence[TopicPartition]) -> FetchResponse:
        request = FetchRequest(
            max_wait_ms=self._max_wait_ms,
            min_bytes=1,
            max_bytes=MAX_BYTES,
            isolation_level=int(self._committed_only),
            topics=[
                FetchTopic(
                    topic=name,
                    partitions=[
                        FetchPartition(
                            partition=each.partition,
                            fetch_offset=self.positions[each],
                            partition_max_bytes=self._partition_max_bytes,
                        )
                        for each in group
                    ],
                )
                for name, group in by_topic(partitions).items()
            ],
        )
        connection = await self._cluster.node(leader, LANE)
        timeout_ms = self._max_wait_ms + max(PATIENCE_MS, self._cluster.timeout_ms)
        while True:
            answer = await connection.send(
                request, FetchResponse, timeout_ms=timeout_ms, at_most=NAMED_TOPICS
            )
            if answer.error_code:
                raise ApiError(error_code(answer.error_code))
            if answer.responses or not answer.throttle_time_ms:
                return answer
            # Kafka gives nothing at all above a quota: that is not the end of a partition.
            await self._cluster.clock.sleep(answer.throttle_time_ms)

    async def _taken(self, where: TopicPartition, data: PartitionData) -> list[StoredBatch]:
        code = error_code(data.error_code)
        if code is ErrorCode.OFFSET_OUT_OF_RANGE:
            span = (await spans(self._cluster, [where]))[where]
            before = self.positions[where]
            self.positions[where] = min(max(before, span.start), span.end)
            self._moved(where, before, self.positions[where])
            return []
        if code:
            raise ApiError(code, f"fetching {where}")
        batches = list(stored_batches(where, data, self.positions[where]))
        if batches:
            self.positions[where] = max(self.positions[where], batches[-1].header.next_offset)
        return visible(batches, data.aborted_transactions or ())


def stored_batches(where: TopicPartition, data: PartitionData, first: int) -> Iterator[StoredBatch]:
    """The whole batches of a fetched partition; the last one may be cut, and is asked for again."""
    records = data.records
    if not isinstance(records, bytes | bytearray | memoryview):
        return
    whole, at = memoryview(records), 0
    while len(whole) - at >= 61:
        header = parse_header(whole, at)
        if at + header.size_bytes > len(whole):
            return
        yield StoredBatch(where, header, whole[at : at + header.size_bytes], first)
        at += header.size_bytes


def visible(
    batches: Sequence[StoredBatch], aborted: Sequence[AbortedTransaction]
) -> list[StoredBatch]:
    """The batches with records for readers: no control batches, no aborted transactions (KIP-98).

    `aborted` is empty for readers of everything.
    """
    to_come = sorted(aborted, key=lambda each: each.first_offset)
    aborting: set[int] = set()
    shown = []
    for batch in batches:
        header = batch.header
        while to_come and to_come[0].first_offset <= header.last_offset:
            aborting.add(to_come.pop(0).producer_id)
        if header.is_control:
            marker = read_end_marker(batch.batch)
            if marker is not None and not marker.is_commit:
                aborting.discard(header.producer_id)
        elif not (header.is_transactional and header.producer_id in aborting):
            shown.append(batch)
    return shown
