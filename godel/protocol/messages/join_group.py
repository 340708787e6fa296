"""JoinGroup messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import bytes_, int16, int32, string


class JoinGroupRequest(Message, api_key=11, versions=(0, 9), flexible_since=6):
    """TODO."""

    group_id: string = ""
    session_timeout_ms: int32 = 0
    rebalance_timeout_ms: int32 = since(1, default=-1, ignorable=True)
    member_id: string = ""
    group_instance_id: string | None = since(5, default=None)
    protocol_type: string = ""
    protocols: list[JoinGroupRequestProtocol] = field()
    reason: string | None = since(8, default=None, ignorable=True)


class JoinGroupRequestProtocol(Message):
    """TODO."""

    name: string = ""
    metadata: bytes_ = b""


class JoinGroupResponse(Message, api_key=11, versions=(0, 9), flexible_since=6):
    """TODO."""

    throttle_time_ms: int32 = since(2, ignorable=True)
    error_code: int16 = 0
    generation_id: int32 = -1
    protocol_type: string | None = since(7, default=None, ignorable=True)
    protocol_name: string | None = field(nullable_since=7)
    leader: string = ""
    skip_assignment: bool = since(9)
    member_id: string = ""
    members: list[JoinGroupResponseMember] = field()


class JoinGroupResponseMember(Message):
    """TODO."""

    member_id: string = ""
    group_instance_id: string | None = since(5, default=None, ignorable=True)
    metadata: bytes_ = b""
