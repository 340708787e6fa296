"""FindCoordinator (key 10): which broker looks after a group.

v0: groups only. v1: key_type. v3: flexible. v4: several keys (KIP-699). v5: TRANSACTION_ABORTABLE.
v6: share groups (KIP-932). The first call makes `__consumer_offsets`. The only broker is always
the coordinator.

Deviation: transactional ids (type 1) and share groups (type 2) are answered INVALID_REQUEST until
they exist.
"""

from __future__ import annotations

from collections.abc import Awaitable

from godel.broker.context import Endpoint, RequestContext
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

GROUP = 0
KEYS_SINCE = 4


def handle(
    context: RequestContext, request: FindCoordinatorRequest
) -> FindCoordinatorResponse | Awaitable[FindCoordinatorResponse]:
    if request.key_type != GROUP:
        message = f"coordinators of type {request.key_type} are not supported by this broker yet"
        return refused(request, context.version, ErrorCode.INVALID_REQUEST, message)
    return found(context, request)


async def found(
    context: RequestContext, request: FindCoordinatorRequest
) -> FindCoordinatorResponse:
    broker, version, listener = context.broker, context.version, context.listener
    try:
        await broker.ensure_offsets_topic()
    except ApiError as refusal:
        return refused(request, version, ErrorCode.COORDINATOR_NOT_AVAILABLE, refusal.message)
    return answer(request, version, broker.node_id, listener)


def answer(
    request: FindCoordinatorRequest, version: int, node_id: int, endpoint: Endpoint
) -> FindCoordinatorResponse:
    if version >= KEYS_SINCE:
        return FindCoordinatorResponse(
            coordinators=[
                Coordinator(
                    key=key,
                    node_id=node_id,
                    host=endpoint.host,
                    port=endpoint.port,
                )
                for key in request.coordinator_keys
            ]
        )
    return FindCoordinatorResponse(
        node_id=node_id,
        host=endpoint.host,
        port=endpoint.port,
        error_message=ErrorCode.NONE.name,
    )


def refused(
    request: FindCoordinatorRequest, version: int, code: ErrorCode, message: str | None
) -> FindCoordinatorResponse:
    if version >= KEYS_SINCE:
        return FindCoordinatorResponse(
            coordinators=[
                Coordinator(
                    key=key, node_id=-1, host="", port=-1, error_code=code, error_message=message
                )
                for key in request.coordinator_keys
            ]
        )
    return FindCoordinatorResponse(
        node_id=-1, host="", port=-1, error_code=code, error_message=message
    )
