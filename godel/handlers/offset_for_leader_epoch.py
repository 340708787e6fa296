"""OffsetForLeaderEpoch (key 23): where a leader epoch ended (KIP-101, KIP-320).

v2: current_leader_epoch fences stale clients. v3: replica_id. v4: flexible. Consumers use it to
find out whether what they have read was cut away.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.broker.partition import Partition
from godel.errors import ApiError
from godel.protocol.messages.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


def handle(
    context: RequestContext, request: OffsetForLeaderEpochRequest
) -> OffsetForLeaderEpochResponse:
    topics = []
    for topic in request.topics:
        answers = []
        for wanted in topic.partitions:
            try:
                partition = context.broker.partition(topic.topic, wanted.partition)
                answers.append(answer(partition, wanted))
            except ApiError as refusal:
                answers.append(EpochEndOffset(partition=wanted.partition, error_code=refusal.code))
        topics.append(OffsetForLeaderTopicResult(topic=topic.topic, partitions=answers))
    return OffsetForLeaderEpochResponse(topics=topics)


def answer(partition: Partition, wanted: OffsetForLeaderPartition) -> EpochEndOffset:
    partition.check_leader_epoch(wanted.current_leader_epoch)
    end = partition.end_of_epoch(wanted.leader_epoch)
    return EpochEndOffset(
        partition=wanted.partition, leader_epoch=end.epoch, end_offset=end.end_offset
    )
