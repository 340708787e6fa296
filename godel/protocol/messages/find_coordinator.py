"""FindCoordinator (key 10): which broker coordinates a group, transactional id or share group.

v4 asks for several keys at once (KIP-699): either the single fields are used or the lists.
"""

from __future__ import annotations

from godel.protocol.message import Message, since, until
from godel.protocol.types import int8, int16, int32, string


class FindCoordinatorRequest(Message, api_key=10, versions=(0, 6), flexible_since=3):
    """Whose coordinator to find."""

    key: string = until(3)
    key_type: int8 = since(1)  # 0 group, 1 transaction, 2 share
    coordinator_keys: list[string] = since(4)


class FindCoordinatorResponse(Message, api_key=10, versions=(0, 6), flexible_since=3):
    """The coordinator, or coordinators."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = until(3)
    error_message: string | None = since(1, until=3, ignorable=True)
    node_id: int32 = until(3)
    host: string = until(3)
    port: int32 = until(3)
    coordinators: list[Coordinator] = since(4)


class Coordinator(Message):
    """The coordinator of one key."""

    key: string = ""
    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
