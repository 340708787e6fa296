"""LeaveGroup (key 13): members leave a classic group.

One member by id up to v2, a list since v3 (KIP-345).
"""

from __future__ import annotations

from godel.protocol.message import Message, since, until
from godel.protocol.types import int16, int32, string


class LeaveGroupRequest(Message, api_key=13, versions=(0, 5), flexible_since=4):
    """Who leaves."""

    group_id: string = ""
    member_id: string = until(2)
    members: list[MemberIdentity] = since(3)


class MemberIdentity(Message):
    """A member by its id, or a static one by its instance id."""

    member_id: string = ""
    group_instance_id: string | None = None
    reason: string | None = since(5, default=None, ignorable=True)  # KIP-800


class LeaveGroupResponse(Message, api_key=13, versions=(0, 5), flexible_since=4):
    """Whether they left."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = 0
    members: list[MemberResponse] = since(3)


class MemberResponse(Message):
    """The outcome for one member."""

    member_id: string = ""
    group_instance_id: string | None = ""
    error_code: int16 = 0
