"""Heartbeat (key 12): a member of a classic group is alive."""

from __future__ import annotations

from godel.protocol.message import Message, since
from godel.protocol.types import int16, int32, string


class HeartbeatRequest(Message, api_key=12, versions=(0, 4), flexible_since=4):
    """Which member is alive."""

    group_id: string = ""
    generation_id: int32 = 0
    member_id: string = ""
    group_instance_id: string | None = since(3, default=None)


class HeartbeatResponse(Message, api_key=12, versions=(0, 4), flexible_since=4):
    """Whether it still belongs, or must rejoin."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = 0
