"""AlterConfigs (key 33): replace everything that was set for a topic, a broker or a group.

The old way: what the request does not name goes back to its default; IncrementalAlterConfigs came
after it (KIP-339). v2: flexible. An empty broker name means all brokers. Deviations: those of
IncrementalAlterConfigs; a resource that is named twice answers INVALID_REQUEST (Kafka: no answer at
all).
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.handlers.config_resources import Change, alter_each
from godel.metadata.alterations import Alteration, Operation
from godel.protocol.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


async def handle(context: RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse:
    changes = [
        Change(
            resource.resource_type,
            resource.resource_name,
            [Alteration(each.name, Operation.SET, each.value) for each in resource.configs],
        )
        for resource in request.resources
    ]
    outcomes = await alter_each(
        context.broker, changes, validate_only=request.validate_only, replace=True
    )
    return AlterConfigsResponse(
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
