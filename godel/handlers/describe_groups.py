"""DescribeGroups (key 15): state and members of classic groups.

v3: authorized operations, left at "not asked" until there is an authorizer. v4: group_instance_id.
v5: flexible. v6: an unknown group is GROUP_ID_NOT_FOUND; before, it is Dead without an error.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.coordinator.runtime import then
from godel.handlers.callers import caller_of
from godel.protocol.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse


def handle(
    context: RequestContext, request: DescribeGroupsRequest
) -> DescribeGroupsResponse | Awaitable[DescribeGroupsResponse]:
    described = context.broker.groups.describe_groups(request.groups, caller_of(context))
    return then(described, lambda groups: DescribeGroupsResponse(groups=groups))
