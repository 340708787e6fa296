"""DescribeConfigs (key 32): settings of topics, brokers and groups, and where they come from.

v1: sources and synonyms. v3: types and documentation. v4: flexible. Resources: 2 topic, 4 broker
(an empty name: what was set for all brokers), 32 group. Deviation: broker loggers (8), client
metrics (16) do not exist here and answer INVALID_REQUEST, as unknown types do.
"""

from __future__ import annotations

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.config.describe import (
    ConfigEntry,
    describe_broker,
    describe_cluster_default,
    describe_group,
    describe_topic,
)
from godel.errors import ApiError, ErrorCode
from godel.handlers.config_resources import (
    BROKER,
    GROUP,
    TOPIC,
    broker_id,
    broker_levels,
    unknown_type,
)
from godel.metadata.identifiers import check_name
from godel.metadata.topics import existing
from godel.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)


def handle(context: RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    results: list[DescribeConfigsResult] = []
    for resource in request.resources:
        result = DescribeConfigsResult(
            error_message=None,
            resource_type=resource.resource_type,
            resource_name=resource.resource_name,
        )
        try:
            entries = described(context.broker, resource)
            result.configs = [shown(entry, request) for entry in entries]
        except ApiError as refusal:
            result.error_code = refusal.code
            result.error_message = refusal.message
        results.append(result)
    return DescribeConfigsResponse(results=results)


def described(broker: Broker, resource: DescribeConfigsResource) -> list[ConfigEntry]:
    """One resource's settings. Raises `ApiError`."""
    image = broker.metadata.image
    name = resource.resource_name
    keys = resource.configuration_keys or None
    levels = broker_levels(broker)
    if resource.resource_type == TOPIC:
        check_name(name)
        topic = existing(image, name)
        return describe_topic(topic.config, topic.overrides, levels, keys)
    if resource.resource_type == BROKER:
        if broker_id(broker, name) is None:
            return describe_cluster_default(levels.cluster, keys)
        return describe_broker(levels, keys)
    if resource.resource_type == GROUP:
        if not name:
            raise ApiError(ErrorCode.INVALID_REQUEST, "The name of the group is empty.")
        return describe_group(image.group_overrides.get(name, {}), levels, keys)
    raise unknown_type(resource.resource_type)


def shown(entry: ConfigEntry, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    synonyms = entry.synonyms if request.include_synonyms else ()
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=entry.is_sensitive,
        synonyms=[
            DescribeConfigsSynonym(name=each.name, value=each.value, source=each.source)
            for each in synonyms
        ],
        config_type=entry.type,
        documentation=entry.documentation if request.include_documentation else None,
    )
