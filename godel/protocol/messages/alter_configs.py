"""AlterConfigs (key 33): replace all that was set for a topic, broker or group."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int8, int16, int32, string


class AlterConfigsRequest(Message, api_key=33, versions=(0, 2), flexible_since=2):
    """Whose settings to replace."""

    resources: list[AlterConfigsResource] = field()
    validate_only: bool = False


class AlterConfigsResource(Message):
    """One topic, broker or group."""

    resource_type: int8 = 0  # 2 topic, 4 broker, 8 broker logger, 32 group
    resource_name: string = ""
    configs: list[AlterableConfig] = field()


class AlterableConfig(Message):
    """One setting."""

    name: string = ""
    value: string | None = ""


class AlterConfigsResponse(Message, api_key=33, versions=(0, 2), flexible_since=2):
    """What became of it."""

    throttle_time_ms: int32 = 0
    responses: list[AlterConfigsResourceResponse] = field()


class AlterConfigsResourceResponse(Message):
    """The outcome for one resource."""

    error_code: int16 = 0
    error_message: string | None = ""
    resource_type: int8 = 0
    resource_name: string = ""
