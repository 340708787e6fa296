"""ListConfigResources (key 74): what there are settings for (KIP-1142).

v0, once ListClientMetricsResources, asks for client metrics only.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, string


class ListConfigResourcesRequest(Message, api_key=74, versions=(0, 1), flexible_since=0):
    """Which kinds of resources."""

    resource_types: list[int8] = since(1)  # empty: all


class ListConfigResourcesResponse(Message, api_key=74, versions=(0, 1), flexible_since=0):
    """The resources."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    config_resources: list[ConfigResource] = field()


class ConfigResource(Message):
    """One resource."""

    resource_name: string = ""
    resource_type: int8 = since(1, default=16, ignorable=True)
