"""SyncGroup (key 14): the leader hands in the assignments, everybody gets its own.

v3: group_instance_id. v4: flexible. v5: protocol_type and protocol_name are checked and answered.
A follower is parked until the leader's assignments are stored.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse


def handle(
    context: RequestContext, request: SyncGroupRequest
) -> SyncGroupResponse | Awaitable[SyncGroupResponse]:
    return context.broker.groups.sync_group(request)
