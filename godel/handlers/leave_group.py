"""LeaveGroup (key 13): members go, or an administrator removes static ones.

v3: a list of members, each with its own error; a member id or only an instance id (KIP-345).
v4: flexible. v5: reason.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.handlers.callers import caller_of
from godel.protocol.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse


def handle(
    context: RequestContext, request: LeaveGroupRequest
) -> LeaveGroupResponse | Awaitable[LeaveGroupResponse]:
    return context.broker.groups.leave_group(request, caller_of(context))
