"""DescribeGroups (key 15): state and members of classic groups.

v3: authorized operations, where they are asked for. v4: group_instance_id. v5: flexible. v6: an
unknown group is GROUP_ID_NOT_FOUND; before, it is Dead without an error.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.coordinator.runtime import then
from godel.errors import ErrorCode
from godel.handlers.authorized_operations import GROUP_OPERATIONS
from godel.handlers.callers import caller_of
from godel.protocol.messages.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)


def handle(
    context: RequestContext, request: DescribeGroupsRequest
) -> DescribeGroupsResponse | Awaitable[DescribeGroupsResponse]:
    described = context.broker.groups.describe_groups(request.groups, caller_of(context))
    asked = request.include_authorized_operations
    return then(described, lambda groups: respond(groups, asked=asked))


def respond(groups: list[DescribedGroup], *, asked: bool) -> DescribeGroupsResponse:
    for group in groups:
        if asked and group.error_code == ErrorCode.NONE:
            group.authorized_operations = GROUP_OPERATIONS
    return DescribeGroupsResponse(groups=groups)
