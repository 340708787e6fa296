"""Fetch (key 1): read record batches, waiting for them if asked to (long poll).

v4: isolation level, aborted transactions. v5: log start offset. v7: fetch sessions (KIP-227).
v9: current_leader_epoch (KIP-320). v11: rack, preferred_read_replica (always -1). v12: flexible,
last_fetched_epoch and diverging_epoch. v13: topics by id. v15: replica_state. v18: high watermark
of followers, ignored.

Answered at once when nothing is waited for, when there are enough bytes or when any partition has
an error; else parked until enough becomes visible or max_wait_ms is over. As in Kafka a partition
that does not exist ends the wait of the others only when it went away meanwhile: a client that
keeps asking for it would spin. Deviation: only whole batches are returned, where Kafka may cut the
last one (clients accept both); what a partition's limit leaves room for counts for min_bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.broker.fetch_sessions import FetchContext, FetchedPartition
from godel.broker.partition import Partition
from godel.broker.waiting import wait_for_records
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages import fetch as messages
from godel.protocol.messages.fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from godel.records.partition_log import EMPTY_SLICE, LogSlice
from godel.records.transactions import AbortedTransaction
from godel.types import TopicId

READ_COMMITTED = 1
CONSUMER = -1
NO_OFFSET = -1
ANY_EPOCH = -1
TOPIC_IDS_SINCE = 13
UNKNOWN = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)


def handle(
    context: RequestContext, request: FetchRequest
) -> FetchResponse | Awaitable[FetchResponse]:
    if request.replica_id != CONSUMER or request.replica_state.replica_id != CONSUMER:
        return refused(context.broker, ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    broker = context.broker
    now_ms = int(broker.clock.monotonic_ms())
    try:
        session = broker.fetch_sessions.begin(request, context.version, now_ms)
    except ApiError as refusal:
        return refused(broker, refusal.code)
    fetch = Fetch(broker, request, session, by_id=context.version >= TOPIC_IDS_SINCE)
    fetch.read()
    if fetch.is_complete or request.max_wait_ms <= 0:
        return fetch.response()
    return fetch.wait()


def refused(broker: Broker, code: ErrorCode) -> FetchResponse:
    count_error(broker, code)
    return FetchResponse(error_code=code)


def count_error(broker: Broker, code: ErrorCode) -> None:
    broker.metrics.request_errors.of("Fetch", code.name).add()


class Outcome:
    """What one partition has to say: an error, a diverging epoch, or records (maybe none)."""

    __slots__ = ("aborted", "code", "diverging", "found")

    def __init__(
        self,
        *,
        code: ErrorCode = ErrorCode.NONE,
        diverging: EpochEndOffset | None = None,
        found: LogSlice = EMPTY_SLICE,
        aborted: Sequence[AbortedTransaction] = (),
    ) -> None:
        self.code = code
        self.diverging = diverging
        self.found = found
        self.aborted = aborted
        """Which of the transactions that reach into what was found did not commit."""


NOTHING = Outcome()
"""The client is at the high watermark. Most of what an idle consumer asks for ends here."""


class Fetch:
    """One Fetch request, from its first reading to its answer."""

    __slots__ = (
        "_broker",
        "_by_id",
        "_committed_only",
        "_found",
        "_has_trouble",
        "_max_bytes",
        "_max_wait_ms",
        "_min_bytes",
        "_outcomes",
        "_session",
        "_size_bytes",
        "_unknown",
        "_verify",
    )

    def __init__(
        self, broker: Broker, request: FetchRequest, session: FetchContext, *, by_id: bool
    ) -> None:
        self._broker = broker
        self._by_id = by_id
        self._session = session
        self._committed_only = request.isolation_level == READ_COMMITTED
        self._max_bytes = min(request.max_bytes, broker.config.fetch_max_bytes)
        self._min_bytes = min(request.min_bytes, self._max_bytes)
        self._max_wait_ms = request.max_wait_ms
        self._verify = broker.config.log_read_verify
        self._outcomes: list[Outcome] = []
        self._found: list[tuple[FetchedPartition, LogSlice]] = []
        """What was read where a client is behind the high watermark."""
        self._size_bytes = 0
        self._unknown = 0
        self._has_trouble = False

    @property
    def is_complete(self) -> bool:
        return (
            self._size_bytes >= self._min_bytes
            or self._has_trouble
            or self._unknown == len(self._session.partitions)
            or self._broker.is_stopping
            or self._readable_bytes() >= self._min_bytes
        )

    def _readable_bytes(self) -> int:
        """What there is to read, where the limits allow it; above what whole batches can fill."""
        return sum(
            max(wanted.max_bytes, found.size_bytes)
            if max(wanted.fetch_offset, found.next_offset) < self._upper_bound(wanted)
            else found.size_bytes
            for wanted, found in self._found
        )

    def _upper_bound(self, wanted: FetchedPartition) -> int:
        partition = wanted.resolved
        if partition is None:
            return NO_OFFSET
        return partition.last_stable_offset if self._committed_only else partition.high_watermark

    def read(self) -> None:
        """Look at every partition, in order, within the limits of the request."""
        self._size_bytes = self._unknown = 0
        self._found = []
        self._outcomes = outcomes = []
        for wanted in self._session.partitions:
            partition = wanted.resolved
            if (
                partition is not None
                and wanted.fetch_offset == partition.high_watermark
                and wanted.current_leader_epoch in (ANY_EPOCH, partition.leader_epoch)
                and wanted.last_fetched_epoch in (ANY_EPOCH, partition.leader_epoch)
                and not partition.is_closed
            ):
                outcomes.append(NOTHING)
            else:
                outcomes.append(self._read_one(wanted))

    def _read_one(self, wanted: FetchedPartition) -> Outcome:
        was_there = wanted.resolved is not None
        try:
            partition = wanted.resolved
            if partition is None or partition.is_closed:
                wanted.resolved = None
                partition = wanted.resolved = self._resolve(wanted)
            partition.check_leader_epoch(wanted.current_leader_epoch)
            if wanted.last_fetched_epoch >= 0:
                diverging = find_divergence(partition, wanted)
                if diverging is not None:
                    self._has_trouble = True
                    return Outcome(diverging=diverging)
            found = partition.read(
                wanted.fetch_offset,
                min(wanted.max_bytes, self._max_bytes - self._size_bytes),
                committed_only=self._committed_only,
                at_least_one=self._size_bytes == 0,
                verify=self._verify,
            )
            aborted = (
                partition.aborted_transactions(wanted.fetch_offset, found)
                if self._committed_only
                else ()
            )
        except ApiError as refusal:
            if refusal.code is ErrorCode.CORRUPT_MESSAGE and wanted.resolved is not None:
                self._broker.corruption_met(wanted.resolved.id, wanted.fetch_offset, refusal)
            if refusal.code in UNKNOWN and not was_there:
                self._unknown += 1
            else:
                self._has_trouble = True
            return Outcome(code=refusal.code)
        self._found.append((wanted, found))
        if not found.size_bytes:
            return NOTHING
        self._size_bytes += found.size_bytes
        return Outcome(found=found, aborted=aborted)

    def _resolve(self, wanted: FetchedPartition) -> Partition:
        """The broker's partition; raises UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID."""
        if self._by_id:
            return self._broker.partition_by_id(wanted.topic_id, wanted.partition)
        return self._broker.partition(wanted.topic, wanted.partition)

    def wait(self) -> Awaitable[FetchResponse]:
        """Wait for what is missing; answer with what there is when the time is over."""
        return self._wait(self._visible_offsets())

    def _visible_offsets(self) -> int:
        """A number that changes when something becomes visible, or a partition goes away."""
        return sum(
            -1 if partition.is_closed else partition.high_watermark
            for wanted in self._session.partitions
            if (partition := wanted.resolved) is not None
        )

    async def _wait(self, seen_offsets: int) -> FetchResponse:
        clock = self._broker.clock
        if self._visible_offsets() != seen_offsets:
            self.read()  # others have had their turn since `handle`, and nobody told us
        deadline_ms = clock.monotonic_ms() + self._max_wait_ms
        while not self.is_complete:
            left_ms = deadline_ms - clock.monotonic_ms()
            if left_ms <= 0:
                break
            changed = await wait_for_records(
                [
                    partition
                    for wanted in self._session.partitions
                    if (partition := wanted.resolved) is not None
                ],
                missing_bytes=self._min_bytes - self._readable_bytes(),
                delay_ms=left_ms,
                clock=clock,
                committed_only=self._committed_only,
            )
            if not changed:
                break
            self.read()
        return self.response()

    def response(self) -> FetchResponse:
        """What the session says has to be told, topic by topic."""
        session = self._session
        is_incremental = session.is_incremental
        topics: list[FetchableTopicResponse] = []
        by_topic: dict[tuple[str, TopicId], FetchableTopicResponse] = {}
        for wanted, outcome in zip(session.partitions, self._outcomes, strict=True):
            partition = wanted.resolved
            if (
                is_incremental
                and outcome is NOTHING
                and partition is not None
                and wanted.answered_high_watermark == partition.high_watermark
                and wanted.answered_log_start_offset == partition.log_start_offset
            ):
                continue
            data = self._describe(wanted, outcome)
            if data is None:
                continue
            key = (wanted.topic, wanted.topic_id)
            topic = by_topic.get(key)
            if topic is None:
                topic = FetchableTopicResponse(topic=wanted.topic, topic_id=wanted.topic_id)
                by_topic[key] = topic
                topics.append(topic)
            topic.partitions.append(data)
        for wanted, found in self._found:
            if wanted.resolved is not None:
                wanted.resolved.bytes_out += found.size_bytes
        return FetchResponse(session_id=session.session_id, responses=topics)

    def _describe(self, wanted: FetchedPartition, outcome: Outcome) -> PartitionData | None:
        """One partition of the answer; None where an incremental answer need not name it."""
        include = self._session.should_include
        aborted = described(outcome.aborted) if self._committed_only else None
        partition = wanted.resolved
        if outcome.code or partition is None:
            if not include(wanted, outcome.code, NO_OFFSET, NO_OFFSET, has_records=False):
                return None
            count_error(self._broker, outcome.code)
            return PartitionData(
                partition_index=wanted.partition,
                error_code=outcome.code,
                high_watermark=NO_OFFSET,
                aborted_transactions=aborted,
            )
        high_watermark = partition.high_watermark
        log_start_offset = partition.log_start_offset
        has_records = outcome.found.size_bytes > 0
        trouble = 0 if outcome.diverging is None else 1
        if not include(wanted, trouble, high_watermark, log_start_offset, has_records=has_records):
            return None
        data = PartitionData(
            partition_index=wanted.partition,
            high_watermark=high_watermark,
            last_stable_offset=partition.last_stable_offset,
            log_start_offset=log_start_offset,
            aborted_transactions=aborted,
            records=outcome.found.pieces,
        )
        if outcome.diverging is not None:
            data.diverging_epoch = outcome.diverging
        return data


def described(aborted: Sequence[AbortedTransaction]) -> list[messages.AbortedTransaction]:
    return [
        messages.AbortedTransaction(producer_id=one.producer_id, first_offset=one.first_offset)
        for one in aborted
    ]


def find_divergence(partition: Partition, wanted: FetchedPartition) -> EpochEndOffset | None:
    """Where the client's log and ours part, by its last fetched epoch (KIP-595); None: nowhere."""
    end = partition.end_of_epoch(wanted.last_fetched_epoch)
    if end.epoch < 0:
        raise ApiError(ErrorCode.OFFSET_OUT_OF_RANGE)
    if end.epoch == wanted.last_fetched_epoch and end.end_offset >= wanted.fetch_offset:
        return None
    return EpochEndOffset(epoch=end.epoch, end_offset=end.end_offset)
