"""SyncGroup (key 14): the leader hands in the assignment, every member gets its own part."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import bytes_, int16, int32, string


class SyncGroupRequest(Message, api_key=14, versions=(0, 5), flexible_since=4):
    """A member waits for its assignment; the leader brings all of them."""

    group_id: string = ""
    generation_id: int32 = 0
    member_id: string = ""
    group_instance_id: string | None = since(3, default=None)
    protocol_type: string | None = since(5, default=None, ignorable=True)
    protocol_name: string | None = since(5, default=None, ignorable=True)
    assignments: list[SyncGroupRequestAssignment] = field()


class SyncGroupRequestAssignment(Message):
    """What the leader gives one member."""

    member_id: string = ""
    assignment: bytes_ = b""


class SyncGroupResponse(Message, api_key=14, versions=(0, 5), flexible_since=4):
    """The member's own assignment."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = 0
    protocol_type: string | None = since(5, default=None, ignorable=True)
    protocol_name: string | None = since(5, default=None, ignorable=True)
    assignment: bytes_ = b""
