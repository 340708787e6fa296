"""OffsetCommit (key 8): remember how far a group has read.

v2 to v4: retention_time_ms. v5: without. v6: committed_leader_epoch. v7: group_instance_id.
v8: flexible. v9 and v10 come with KIP-848 and topic ids; not served yet. Any offset is stored,
also one beyond the end of the log.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.coordinator.group_coordinator import refuse_commit
from godel.errors import ErrorCode
from godel.handlers.callers import caller_of
from godel.protocol.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse


def handle(
    context: RequestContext, request: OffsetCommitRequest
) -> OffsetCommitResponse | Awaitable[OffsetCommitResponse]:
    exists = context.broker.metadata.image.has_partition
    if not any(
        exists(topic.name, partition.partition_index)
        for topic in request.topics
        for partition in topic.partitions
    ):
        # As in Kafka the group is not asked where nothing could be stored.
        return refuse_commit(request, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, exists)
    return context.broker.groups.commit_offsets(request, caller_of(context), exists)
