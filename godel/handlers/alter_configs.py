"""AlterConfigs (key 33): replace everything that was set for a topic, a broker or a group.

The old way: what the request does not name goes back to its default; IncrementalAlterConfigs came
after it (KIP-339). v2: flexible. An empty broker name means all brokers. Deviations: those of
IncrementalAlterConfigs; a resource that is named twice answers INVALID_REQUEST (Kafka: no answer at
all).
"""

from __future__ import annotations

from collections import Counter

from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.handlers.config_resources import alter
from godel.metadata.alterations import Alteration, Operation
from godel.protocol.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


async def handle(context: RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse:
    times = Counter((each.resource_type, each.resource_name) for each in request.resources)
    responses: list[AlterConfigsResourceResponse] = []
    for resource in request.resources:
        kind, name = resource.resource_type, resource.resource_name
        response = AlterConfigsResourceResponse(
            error_message=None, resource_type=kind, resource_name=name
        )
        given = [Alteration(each.name, Operation.SET, each.value) for each in resource.configs]
        try:
            if times[kind, name] > 1:
                raise ApiError(ErrorCode.INVALID_REQUEST, "A resource is named more than once.")
            await alter(
                context.broker,
                kind,
                name,
                given,
                validate_only=request.validate_only,
                replace=True,
            )
        except ApiError as refusal:
            response.error_code = refusal.code
            response.error_message = refusal.message
        responses.append(response)
    return AlterConfigsResponse(responses=responses)
