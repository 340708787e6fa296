"""Produce (key 0): append record batches to partitions.

v3: the first that is accepted, record batches of magic 2. v7: zstd. v8: record_errors and
error_message. v9: flexible. v10: current_leader and node_endpoints, left empty because no other
broker could lead. acks=0 has no answer; where one of its partitions fails, the connection is closed
so that the client notices. acks=1 is answered from the page cache, acks=all once the batch is kept
by the topic's durability rule.

Deviations: see `records/validation.py` for what is not decompressed. Every refusal has an
error_message, none a log_start_offset. A partition that a request names twice gets both batches,
where Kafka takes the last. An unknown magic is INVALID_RECORD, which nobody retries.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.broker.partition import Partition
from godel.broker.waiting import Commits
from godel.errors import ApiError, CloseConnection, DiskFull, ErrorCode
from godel.metadata.identifiers import is_internal
from godel.protocol.messages.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from godel.records.validation import InvalidRecord

ALL, NONE, LEADER = -1, 0, 1
ZSTD_SINCE = 7
DISK_FAILED = "The partition's disk failed; the broker's log says how."
DISK_FULL = "The broker's disk is full, try again when there is space; the broker's log says which."
"""Which file and how is for the operator, not for clients."""
ADMIN_CLIENT = "__admin_client"

ProduceCommits = Commits[PartitionProduceResponse, ProduceResponse]


def handle(
    context: RequestContext, request: ProduceRequest
) -> ProduceResponse | Awaitable[ProduceResponse] | None:
    broker = context.broker
    if request.transactional_id is not None:
        return refuse_all(
            broker,
            request,
            ErrorCode.INVALID_TXN_STATE,
            "transactions are not supported by this broker yet",
        )
    if request.acks not in (ALL, NONE, LEADER):
        return refuse_all(broker, request, ErrorCode.INVALID_REQUIRED_ACKS, None)
    commits: ProduceCommits = Commits()
    now_ms = broker.clock.now_ms()
    topics = []
    for topic in request.topic_data:
        name = topic.name
        closed = is_internal(name) and context.client_id != ADMIN_CLIENT
        answers = []
        for data in topic.partition_data:
            try:
                if closed:
                    raise ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, "internal topic")
                partition = broker.partition(name, data.index)
                answers.append(
                    append(
                        partition,
                        data,
                        acks=request.acks,
                        now_ms=now_ms,
                        context=context,
                        commits=commits,
                    )
                )
            except ApiError as refusal:
                answers.append(refused(broker, data.index, refusal))
        topics.append(TopicProduceResponse(name=name, partition_responses=answers))
    response = ProduceResponse(responses=topics)
    if request.acks == NONE:
        close_on_error(response)
        return None
    if commits.pending:
        return commits.then(
            response,
            partial(not_committed, broker),
            timeout_ms=request.timeout_ms,
            clock=broker.clock,
        )
    return response


def append(
    partition: Partition,
    data: PartitionProduceData,
    *,
    acks: int,
    now_ms: int,
    context: RequestContext,
    commits: ProduceCommits,
) -> PartitionProduceResponse:
    """Append one partition's batch; note in `commits` what acks=all has to wait for."""
    if acks == ALL and partition.config.min_insync_replicas > 1:
        raise ApiError(ErrorCode.NOT_ENOUGH_REPLICAS, "this partition has one replica")
    appended = partition.append(
        data.records, now_ms=now_ms, zstd_allowed=context.version >= ZSTD_SINCE
    )
    answer = PartitionProduceResponse(
        index=data.index,
        base_offset=appended.base_offset,
        log_append_time_ms=appended.log_append_time_ms,
        log_start_offset=partition.log_start_offset,
    )
    if acks == ALL:
        committed = partition.committed(appended.next_offset)
        if committed is not None:
            commits.add(committed, answer)
    return answer


def not_committed(broker: Broker, answer: PartitionProduceResponse, code: ErrorCode) -> None:
    """The batch is in the log, but whether it stays there is not known."""
    count_error(broker, code)
    answer.error_code = code
    answer.base_offset = -1
    answer.log_append_time_ms = -1


def count_error(broker: Broker, code: ErrorCode) -> None:
    broker.metrics.request_errors.of("Produce", code.name).add()


def refused(broker: Broker, index: int, refusal: ApiError) -> PartitionProduceResponse:
    """A partition's error; the fields behind it keep their defaults of -1."""
    count_error(broker, refusal.code)
    message = refusal.message
    if refusal.code is ErrorCode.KAFKA_STORAGE_ERROR:
        message = DISK_FULL if isinstance(refusal.__cause__, DiskFull) else DISK_FAILED
    record_errors = []
    if isinstance(refusal, InvalidRecord):
        record_errors = [
            BatchIndexAndErrorMessage(batch_index=batch_index, batch_index_error_message=message)
            for batch_index, message in refusal.record_errors
        ]
    return PartitionProduceResponse(
        index=index,
        error_code=refusal.code,
        base_offset=-1,
        record_errors=record_errors,
        error_message=message,
    )


def refuse_all(
    broker: Broker, request: ProduceRequest, code: ErrorCode, message: str | None
) -> ProduceResponse | None:
    refusal = ApiError(code, message)
    response = ProduceResponse(
        responses=[
            TopicProduceResponse(
                name=topic.name,
                partition_responses=[
                    refused(broker, data.index, refusal) for data in topic.partition_data
                ],
            )
            for topic in request.topic_data
        ]
    )
    if request.acks == NONE:
        close_on_error(response)
        return None
    return response


def close_on_error(response: ProduceResponse) -> None:
    for topic in response.responses:
        for answer in topic.partition_responses:
            if answer.error_code:
                raise CloseConnection(f"acks=0 produce failed: {ErrorCode(answer.error_code).name}")
