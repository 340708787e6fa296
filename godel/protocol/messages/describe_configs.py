"""DescribeConfigs messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, string


class DescribeConfigsRequest(Message, api_key=32, versions=(1, 4), flexible_since=4):
    """TODO."""

    resources: list[DescribeConfigsResource] = field()
    include_synonyms: bool = False
    include_documentation: bool = since(3)


class DescribeConfigsResource(Message):
    """TODO."""

    resource_type: int8 = 0
    resource_name: string = ""
    configuration_keys: list[string] | None = field()


class DescribeConfigsResponse(Message, api_key=32, versions=(1, 4), flexible_since=4):
    """TODO."""

    throttle_time_ms: int32 = 0
    results: list[DescribeConfigsResult] = field()


class DescribeConfigsResult(Message):
    """TODO."""

    error_code: int16 = 0
    error_message: string | None = ""
    resource_type: int8 = 0
    resource_name: string = ""
    configs: list[DescribeConfigsResourceResult] = field()


class DescribeConfigsResourceResult(Message):
    """TODO."""

    name: string = ""
    value: string | None = ""
    read_only: bool = False
    config_source: int8 = -1
    is_sensitive: bool = False
    synonyms: list[DescribeConfigsSynonym] = field()
    config_type: int8 = since(3, ignorable=True)
    documentation: string | None = since(3, ignorable=True)


class DescribeConfigsSynonym(Message):
    """TODO."""

    name: string = ""
    value: string | None = ""
    source: int8 = 0
