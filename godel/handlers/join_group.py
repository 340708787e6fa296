"""JoinGroup (key 11): enter a classic group, or a new round of it.

v1: rebalance timeout; before, the session timeout stands in. v4: a new dynamic member is first
sent away with an id (KIP-394). v5: group_instance_id (KIP-345). v6: flexible. v7: protocol_type,
and null instead of "" where there is no protocol. v8: reason. v9: skip_assignment (KIP-814).
Parked until the join phase ends.

Deviations: see `coordinator/classic_group.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.coordinator.runtime import then
from godel.handlers.callers import caller_of
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse

NULLABLE_PROTOCOL_SINCE = 7


def handle(
    context: RequestContext, request: JoinGroupRequest
) -> JoinGroupResponse | Awaitable[JoinGroupResponse]:
    reply = context.broker.groups.join_group(request, caller_of(context))
    if context.version >= NULLABLE_PROTOCOL_SINCE:
        return reply
    return then(reply, without_null)


def without_null(response: JoinGroupResponse) -> JoinGroupResponse:
    if response.protocol_name is None:
        response.protocol_name = ""
    return response
