"""IncrementalAlterConfigs (key 44): set, delete, append to or subtract from settings (KIP-339)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int8, int16, int32, string


class IncrementalAlterConfigsRequest(Message, api_key=44, versions=(0, 1), flexible_since=1):
    """Settings to change."""

    resources: list[AlterConfigsResource] = field()
    validate_only: bool = False


class AlterConfigsResource(Message):
    """The changes to one topic, broker or group."""

    resource_type: int8 = 0  # 2 topic, 4 broker, 8 broker logger, 32 group
    resource_name: string = ""
    configs: list[AlterableConfig] = field()


class AlterableConfig(Message):
    """One change."""

    name: string = ""
    config_operation: int8 = 0  # 0 set, 1 delete, 2 append, 3 subtract
    value: string | None = ""


class IncrementalAlterConfigsResponse(Message, api_key=44, versions=(0, 1), flexible_since=1):
    """What became of them."""

    throttle_time_ms: int32 = 0
    responses: list[AlterConfigsResourceResponse] = field()


class AlterConfigsResourceResponse(Message):
    """The outcome for one resource: all of its changes or none."""

    error_code: int16 = 0
    error_message: string | None = ""
    resource_type: int8 = 0
    resource_name: string = ""
