"""OffsetFetch (key 9): how far groups have read.

v2: topics null asks for all; top-level error. v3: throttle time. v5: committed_leader_epoch.
v6: flexible. v7: require_stable, without effect until transactions commit offsets. v8: several
groups. v9 and v10 come with KIP-848 and topic ids; not served yet. A group, topic or partition
that is not known is no error: its offset is -1.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.coordinator.group_coordinator import FetchedGroup
from godel.coordinator.offsets import CommittedOffset
from godel.coordinator.runtime import then
from godel.errors import ErrorCode
from godel.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

TOP_LEVEL_ERROR_SINCE = 2
GROUPS_SINCE = 8

NOTHING = CommittedOffset(offset=-1, leader_epoch=-1, metadata="", commit_ms=-1, expire_ms=None)


def handle(
    context: RequestContext, request: OffsetFetchRequest
) -> OffsetFetchResponse | Awaitable[OffsetFetchResponse]:
    groups = context.broker.groups
    if context.version >= GROUPS_SINCE:
        asked = [
            (
                group.group_id,
                None
                if group.topics is None
                else [(topic.name, topic.partition_indexes) for topic in group.topics],
            )
            for group in request.groups
        ]
        return then(groups.fetch_offsets(asked), answer_groups)
    version = context.version
    topics = request.topics
    named = None if topics is None else [(t.name, t.partition_indexes) for t in topics]
    return then(
        groups.fetch_offsets([(request.group_id, named)]),
        lambda fetched: answer_group(request, fetched[0], version),
    )


def answer_groups(fetched: list[FetchedGroup]) -> OffsetFetchResponse:
    return OffsetFetchResponse(
        groups=[
            OffsetFetchResponseGroup(
                group_id=group.group_id,
                error_code=group.error_code,
                topics=[
                    OffsetFetchResponseTopics(
                        name=name,
                        partitions=[
                            OffsetFetchResponsePartitions(
                                partition_index=index,
                                committed_offset=(committed or NOTHING).offset,
                                committed_leader_epoch=(committed or NOTHING).leader_epoch,
                                metadata=(committed or NOTHING).metadata,
                            )
                            for index, committed in partitions
                        ],
                    )
                    for name, partitions in group.topics
                ],
            )
            for group in fetched
        ]
    )


def answer_group(
    request: OffsetFetchRequest, group: FetchedGroup, version: int
) -> OffsetFetchResponse:
    if group.error_code is not ErrorCode.NONE and version < TOP_LEVEL_ERROR_SINCE:
        return refuse_partitions(request, group.error_code)
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OffsetFetchResponseTopic(
                name=name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=index,
                        committed_offset=(committed or NOTHING).offset,
                        committed_leader_epoch=(committed or NOTHING).leader_epoch,
                        metadata=(committed or NOTHING).metadata,
                    )
                    for index, committed in partitions
                ],
            )
            for name, partitions in group.topics
        ],
    )


def refuse_partitions(request: OffsetFetchRequest, code: ErrorCode) -> OffsetFetchResponse:
    """v1 has no error but the partitions'."""
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=index, committed_offset=-1, error_code=code
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in request.topics or ()
        ]
    )
