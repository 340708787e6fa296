"""DeleteRecords (key 21): move the log start of partitions forward; what lies before is gone.

v1: the client is told before it is throttled. v2: flexible. Offset -1 means the high watermark; the
answer's low_watermark is the new log start. When it is sent, a power cut brings nothing back (Kafka
notes log starts once a minute). Of a partition that is named twice the last offset counts, as in
Kafka. timeout_ms has no effect, for there are no other replicas to wait for.
"""

from __future__ import annotations

import anyio.lowlevel

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
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
    deleted: list[DeleteRecordsPartitionResult] = []
    for name, offsets in wanted.items():
        topic_result = DeleteRecordsTopicResult(name=name)
        response.topics.append(topic_result)
        for index, before_offset in offsets.items():
            result = delete(broker, name, index, before_offset)
            topic_result.partitions.append(result)
            if result.error_code == ErrorCode.NONE:
                deleted.append(result)
            await anyio.lowlevel.checkpoint()  # each may have synced a small file
    if deleted:
        try:
            await broker.logs.save_log_starts()
        except StorageFailed:
            for result in deleted:
                result.low_watermark = FAILED
                result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    return response


def delete(
    broker: Broker, topic: str, index: int, before_offset: int
) -> DeleteRecordsPartitionResult:
    try:
        start = delete_records(broker.partition(topic, index), before_offset)
    except ApiError as refusal:
        return DeleteRecordsPartitionResult(index, FAILED, refusal.code)
    return DeleteRecordsPartitionResult(index, start)
