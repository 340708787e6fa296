"""LeaveGroup messages."""

from __future__ import annotations

from godel.protocol.message import Message, since, until
from godel.protocol.types import int16, int32, string


class LeaveGroupRequest(Message, api_key=13, versions=(0, 5), flexible_since=4):
    """TODO."""

    group_id: string = ""
    member_id: string = until(2)
    members: list[MemberIdentity] = since(3)


class MemberIdentity(Message):
    """TODO."""

    member_id: string = ""
    group_instance_id: string | None = None
    reason: string | None = since(5, default=None, ignorable=True)


class LeaveGroupResponse(Message, api_key=13, versions=(0, 5), flexible_since=4):
    """TODO."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = 0
    members: list[MemberResponse] = since(3)


class MemberResponse(Message):
    """TODO."""

    member_id: string = ""
    group_instance_id: string | None = ""
    error_code: int16 = 0
