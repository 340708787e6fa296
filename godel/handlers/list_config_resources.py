"""ListConfigResources (key 74): what has settings that DescribeConfigs can show (KIP-1142).

v0: client metrics only; there are none. v1: any kinds, none named means all. Groups are listed when
something was set for them. Deviation: broker loggers (8) do not exist here and are not listed.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.handlers.config_resources import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from godel.protocol.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

TYPES_SINCE = 1


def handle(
    context: RequestContext, request: ListConfigResourcesRequest
) -> ListConfigResourcesResponse:
    if context.version < TYPES_SINCE:
        return ListConfigResourcesResponse()
    image = context.broker.metadata.image
    names = {
        GROUP: list(image.group_overrides),
        CLIENT_METRICS: [],
        BROKER_LOGGER: [],
        BROKER: [str(node_id) for node_id in image.brokers],
        TOPIC: list(image.topics),
    }
    wanted = set(request.resource_types or names)
    if not wanted <= names.keys():
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(name, kind) for kind in names if kind in wanted for name in names[kind]
        ]
    )
