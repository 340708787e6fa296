"""FindCoordinator messages."""

from __future__ import annotations

from godel.protocol.message import Message, since, until
from godel.protocol.types import int8, int16, int32, string


class FindCoordinatorRequest(Message, api_key=10, versions=(0, 6), flexible_since=3):
    """TODO."""

    key: string = until(3)
    key_type: int8 = since(1)
    coordinator_keys: list[string] = since(4)


class FindCoordinatorResponse(Message, api_key=10, versions=(0, 6), flexible_since=3):
    """TODO."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = until(3)
    error_message: string | None = since(1, until=3, ignorable=True)
    node_id: int32 = until(3)
    host: string = until(3)
    port: int32 = until(3)
    coordinators: list[Coordinator] = since(4)


class Coordinator(Message):
    """TODO."""

    key: string = ""
    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
