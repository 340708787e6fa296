"""IncrementalAlterConfigs (key 44): change settings of topics, brokers and groups while they run.

Operations: 0 set, 1 delete, 2 append, 3 subtract. v1: flexible. A broker can be changed only where
Kafka calls the setting dynamic; an empty broker name means all. Deviations: an unknown broker
setting and an unknown operation answer INVALID_REQUEST (Kafka: stored; a server error); broker
loggers and client metrics do not exist here.
"""

from __future__ import annotations

from collections import Counter

from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.handlers.config_resources import alter
from godel.metadata.alterations import Alteration
from godel.protocol.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


async def handle(
    context: RequestContext, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    times = Counter((each.resource_type, each.resource_name) for each in request.resources)
    responses: list[AlterConfigsResourceResponse] = []
    for resource in request.resources:
        response = AlterConfigsResourceResponse(
            error_message=None,
            resource_type=resource.resource_type,
            resource_name=resource.resource_name,
        )
        try:
            if times[(resource.resource_type, resource.resource_name)] > 1:
                raise ApiError(ErrorCode.INVALID_REQUEST, "A resource is named more than once.")
            alterations = [
                Alteration(each.name, each.config_operation, each.value)
                for each in resource.configs
            ]
            await alter(
                context.broker,
                resource.resource_type,
                resource.resource_name,
                alterations,
                validate_only=request.validate_only,
            )
        except ApiError as refusal:
            response.error_code = refusal.code
            response.error_message = refusal.message
        responses.append(response)
    return IncrementalAlterConfigsResponse(responses=responses)
