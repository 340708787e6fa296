"""ListGroups (key 16): the groups that this broker coordinates.

v3: flexible. v4: states_filter (KIP-518). v5: types_filter (KIP-848). Filters ignore case.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse


def handle(context: RequestContext, request: ListGroupsRequest) -> ListGroupsResponse:
    listed = context.broker.groups.list_groups(request.states_filter, request.types_filter)
    return ListGroupsResponse(error_code=listed.error_code, groups=listed.groups)
