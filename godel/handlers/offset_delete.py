"""OffsetDelete (key 47): forget how far a group has read some partitions (KIP-496).

A group of consumers keeps the offsets of topics that a member subscribes to
(GROUP_SUBSCRIBED_TO_TOPIC); a group of anything else must have no members (NON_EMPTY_GROUP). An
offset that was never committed is a success. Deviation: answers stand in the order of the request.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.protocol.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse


def handle(
    context: RequestContext, request: OffsetDeleteRequest
) -> OffsetDeleteResponse | Awaitable[OffsetDeleteResponse]:
    exists = context.broker.metadata.image.has_partition
    return context.broker.groups.delete_offsets(request, exists)
