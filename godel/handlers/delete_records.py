"""DeleteRecords (key 21): move the log start of partitions forward; what lies before is gone.

v1: the client is told before it is throttled. v2: flexible. Offset -1 means the high watermark; the
answer's low_watermark is the new log start. When it is sent, a power cut brings nothing back (Kafka
notes log starts once a minute). Of a partition that is named twice the last offset counts, as in
Kafka. timeout_ms has no effect, for there are no other replicas to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio.lowlevel

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.broker.partition import Partition
from godel.broker.record_deletion import delete_records
from godel.errors import ApiError, ErrorCode, StorageFailed
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

FAILED = -1


async def handle(context: RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse:
    broker = context.broker
    wanted: dict[str, dict[int, int]] = {}
    for topic in request.topics:
        offsets = {partition.partition_index: partition.offset for partition in topic.partitions}
        wanted.setdefault(topic.name, {}).update(offsets)
    response = DeleteRecordsResponse()
    deleted: list[tuple[Partition, DeleteRecordsPartitionResult]] = []
    for name, offsets in wanted.items():
        topic_result = DeleteRecordsTopicResult(name=name)
        response.topics.append(topic_result)
        for index, before_offset in offsets.items():
            try:
                partition = broker.partition(name, index)
                result = DeleteRecordsPartitionResult(
                    index, delete_records(partition, before_offset)
                )
                deleted.append((partition, result))
            except ApiError as refusal:
                result = DeleteRecordsPartitionResult(index, FAILED, refusal.code)
            topic_result.partitions.append(result)
            await anyio.lowlevel.checkpoint()  # each may have opened a log
    if deleted:
        await save(broker, deleted)
    return response


async def save(
    broker: Broker, deleted: Sequence[tuple[Partition, DeleteRecordsPartitionResult]]
) -> None:
    """Make the new log starts durable; where that fails, nobody is told that it worked."""
    try:
        await broker.logs.save_log_starts()
        for partition, _ in deleted:
            partition.log_start_saved()
    except StorageFailed:
        for _, result in deleted:
            result.low_watermark = FAILED
            result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
