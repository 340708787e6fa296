"""SyncGroup (key 14): the leader hands in the assignments, everybody gets its own.

v3: group_instance_id. v4: flexible. v5: protocol_type and protocol_name, which must be given and
right, and are answered.
A follower is parked until the leader's assignments are stored.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

PROTOCOL_SINCE = 5


def handle(
    context: RequestContext, request: SyncGroupRequest
) -> SyncGroupResponse | Awaitable[SyncGroupResponse]:
    if context.version >= PROTOCOL_SINCE and (
        request.protocol_type is None or request.protocol_name is None
    ):
        return SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    return context.broker.groups.sync_group(request)
