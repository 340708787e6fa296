"""DescribeConfigs (key 32): settings of topics, brokers and groups, and where they come from."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, string


class DescribeConfigsRequest(Message, api_key=32, versions=(1, 4), flexible_since=4):
    """Whose settings to read."""

    resources: list[DescribeConfigsResource] = field()
    include_synonyms: bool = False
    include_documentation: bool = since(3)


class DescribeConfigsResource(Message):
    """One topic, broker or group."""

    resource_type: int8 = 0  # 2 topic, 4 broker, 8 broker logger, 32 group
    resource_name: string = ""
    configuration_keys: list[string] | None = field()  # null: all


class DescribeConfigsResponse(Message, api_key=32, versions=(1, 4), flexible_since=4):
    """The settings."""

    throttle_time_ms: int32 = 0
    results: list[DescribeConfigsResult] = field()


class DescribeConfigsResult(Message):
    """The settings of one resource."""

    error_code: int16 = 0
    error_message: string | None = ""
    resource_type: int8 = 0
    resource_name: string = ""
    configs: list[DescribeConfigsResourceResult] = field()


class DescribeConfigsResourceResult(Message):
    """One setting."""

    name: string = ""
    value: string | None = ""  # null when sensitive
    read_only: bool = False
    config_source: int8 = -1  # 1 topic, 2-4 broker, 5 default, 8 group
    is_sensitive: bool = False
    synonyms: list[DescribeConfigsSynonym] = field()
    config_type: int8 = since(3, ignorable=True)
    documentation: string | None = since(3, ignorable=True)


class DescribeConfigsSynonym(Message):
    """Another place that gives the setting a value, most specific first."""

    name: string = ""
    value: string | None = ""
    source: int8 = 0
