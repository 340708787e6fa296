"""ListOffsets (key 2): find offsets by timestamp, or the ends of a partition.

v1: one offset per partition. v2: isolation level. v4: leader epochs. v6: flexible. v7: max
timestamp (-3). v8: earliest local (-4). v9: latest tiered (-5). v10: timeout (we never wait).
v11: earliest pending upload (-6). Nothing is tiered here, so -4 is the log start and -5 and -6 find
nothing.
"""

from __future__ import annotations

from collections import Counter

from godel.broker.context import RequestContext
from godel.broker.partition import Partition
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from godel.records.partition_log import TimestampOffset

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL = -1, -2, -3, -4
LATEST_TIERED, EARLIEST_PENDING_UPLOAD = -5, -6
SINCE_VERSION = {
    LATEST: 0,
    EARLIEST: 0,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}
LEADER_EPOCH_SINCE = 4
READ_COMMITTED = 1
NOT_FOUND = TimestampOffset(-1, -1, -1)


def handle(context: RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse:
    committed_only = request.isolation_level == READ_COMMITTED
    times = Counter(
        (topic.name, wanted.partition_index)
        for topic in request.topics
        for wanted in topic.partitions
    )
    topics = []
    for topic in request.topics:
        answers = []
        for wanted in topic.partitions:
            try:
                if times[topic.name, wanted.partition_index] > 1:
                    raise ApiError(ErrorCode.INVALID_REQUEST)
                partition = context.broker.partition(topic.name, wanted.partition_index)
                answers.append(answer(context.version, partition, wanted, committed_only))
            except ApiError as refusal:
                answers.append(
                    ListOffsetsPartitionResponse(
                        partition_index=wanted.partition_index, error_code=refusal.code
                    )
                )
        topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=answers))
    return ListOffsetsResponse(topics=topics)


def answer(
    version: int, partition: Partition, wanted: ListOffsetsPartition, committed_only: bool
) -> ListOffsetsPartitionResponse:
    partition.check_leader_epoch(wanted.current_leader_epoch)
    found = look_up(version, partition, wanted.timestamp, committed_only)
    return ListOffsetsPartitionResponse(
        partition_index=wanted.partition_index,
        timestamp=found.timestamp_ms,
        offset=found.offset,
        leader_epoch=found.leader_epoch if version >= LEADER_EPOCH_SINCE else -1,
    )


def look_up(
    version: int, partition: Partition, timestamp: int, committed_only: bool
) -> TimestampOffset:
    """The offset a timestamp or one of the special values stands for; `NOT_FOUND` where none."""
    if timestamp < 0 and version < SINCE_VERSION.get(timestamp, version + 1):
        raise ApiError(ErrorCode.UNSUPPORTED_VERSION)
    upper_bound = partition.last_stable_offset if committed_only else partition.high_watermark
    if timestamp == LATEST:
        return TimestampOffset(upper_bound, -1, partition.leader_epoch)
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        start = partition.log_start_offset
        return TimestampOffset(start, -1, partition.epoch_at(start))
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return NOT_FOUND
    if timestamp == MAX_TIMESTAMP:
        return partition.max_timestamp(upper_bound=upper_bound) or NOT_FOUND
    return partition.offset_for_timestamp(timestamp, upper_bound=upper_bound) or NOT_FOUND
