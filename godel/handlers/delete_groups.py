"""DeleteGroups (key 42): remove groups without members, with their offsets (KIP-229).

v2: flexible. v3: error_message.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import RequestContext
from godel.coordinator.runtime import then
from godel.protocol.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse


def handle(
    context: RequestContext, request: DeleteGroupsRequest
) -> DeleteGroupsResponse | Awaitable[DeleteGroupsResponse]:
    deleted = context.broker.groups.delete_groups(request.groups_names)
    return then(deleted, lambda results: DeleteGroupsResponse(results=results))
