"""IncrementalAlterConfigs (key 44): change settings of topics, brokers and groups while they run.

Operations: 0 set, 1 delete, 2 append, 3 subtract. v1: flexible. A broker can be changed only where
Kafka calls the setting dynamic; an empty broker name means all. Deviations: an unknown broker
setting and an unknown operation answer INVALID_REQUEST (Kafka: stored; a server error); broker
loggers and client metrics do not exist here.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.handlers.config_resources import Change, alter_each
from godel.metadata.alterations import Alteration
from godel.protocol.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


async def handle(
    context: RequestContext, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    changes = [
        Change(
            resource.resource_type,
            resource.resource_name,
            [Alteration(each.name, each.config_operation, each.value) for each in resource.configs],
        )
        for resource in request.resources
    ]
    outcomes = await alter_each(context.broker, changes, validate_only=request.validate_only)
    return IncrementalAlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=ErrorCode.NONE if refusal is None else refusal.code,
                error_message=None if refusal is None else refusal.message,
                resource_type=change.resource_type,
                resource_name=change.name,
            )
            for change, refusal in zip(changes, outcomes, strict=True)
        ]
    )
