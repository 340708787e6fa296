"""IncrementalAlterConfigs (key 44): change settings of topics, brokers and groups while they run.

Operations: 0 set, 1 delete, 2 append, 3 subtract. v1: flexible. A broker can be changed only where
Kafka calls the setting dynamic; an empty broker name means all. Deviations: an unknown broker
setting and an unknown operation answer INVALID_REQUEST (Kafka: stored; a server error); broker
loggers and client metrics do not exist here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.handlers.describe_configs import BROKER, GROUP, TOPIC, broker_id, unknown_type
from godel.metadata.alterations import Alteration, alter_broker, alter_group, alter_topic
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


async def alter(
    broker: Broker,
    resource_type: int,
    name: str,
    alterations: Sequence[Alteration],
    *,
    validate_only: bool,
    replace: bool = False,
) -> None:
    """Change one resource. `replace`: what was set before does not count. Raises `ApiError`."""
    metadata = broker.metadata
    how = {"validate_only": validate_only, "replace": replace}
    if resource_type == TOPIC:
        await alter_topic(metadata, name, alterations, **how)
    elif resource_type == BROKER:
        await alter_broker(metadata, broker_id(broker, name), alterations, **how)
    elif resource_type == GROUP:
        await alter_group(metadata, name, alterations, **how)
    else:
        raise unknown_type(resource_type)
