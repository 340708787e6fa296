"""Heartbeat (key 12): a member lives, and learns whether it has to join again.

v3: group_instance_id. v4: flexible. Answered at once in every state of the broker.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


def handle(context: RequestContext, request: HeartbeatRequest) -> HeartbeatResponse:
    return HeartbeatResponse(error_code=context.broker.groups.heartbeat(request))
