"""IncrementalAlterConfigs messages."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int8, int16, int32, string


class IncrementalAlterConfigsRequest(Message, api_key=44, versions=(0, 1), flexible_since=1):
    """TODO."""

    resources: list[AlterConfigsResource] = field()
    validate_only: bool = False


class AlterConfigsResource(Message):
    """TODO."""

    resource_type: int8 = 0
    resource_name: string = ""
    configs: list[AlterableConfig] = field()


class AlterableConfig(Message):
    """TODO."""

    name: string = ""
    config_operation: int8 = 0
    value: string | None = ""


class IncrementalAlterConfigsResponse(Message, api_key=44, versions=(0, 1), flexible_since=1):
    """TODO."""

    throttle_time_ms: int32 = 0
    responses: list[AlterConfigsResourceResponse] = field()


class AlterConfigsResourceResponse(Message):
    """TODO."""

    error_code: int16 = 0
    error_message: string | None = ""
    resource_type: int8 = 0
    resource_name: string = ""
