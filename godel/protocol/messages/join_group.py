"""JoinGroup (key 11): become a member of a classic group, or stay one through a rebalance.

v4 makes new members come back with the id they are given, v5 adds static members (KIP-345).
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import bytes_, int16, int32, string


class JoinGroupRequest(Message, api_key=11, versions=(0, 9), flexible_since=6):
    """Who wants to join, and which assignors it understands."""

    group_id: string = ""
    session_timeout_ms: int32 = 0
    # v0: the session timeout counts
    rebalance_timeout_ms: int32 = since(1, default=-1, ignorable=True)
    member_id: string = ""  # empty: new here
    group_instance_id: string | None = since(5, default=None)  # null: a dynamic member
    protocol_type: string = ""
    protocols: list[JoinGroupRequestProtocol] = field()
    reason: string | None = since(8, default=None, ignorable=True)  # KIP-800


class JoinGroupRequestProtocol(Message):
    """One assignor, with the subscription in its terms."""

    name: string = ""
    metadata: bytes_ = b""


class JoinGroupResponse(Message, api_key=11, versions=(0, 9), flexible_since=6):
    """The new generation; for the leader also its members."""

    throttle_time_ms: int32 = since(2, ignorable=True)
    error_code: int16 = 0
    generation_id: int32 = -1
    protocol_type: string | None = since(7, default=None, ignorable=True)
    protocol_name: string | None = field(nullable_since=7)
    leader: string = ""
    skip_assignment: bool = since(9)  # a static leader came back, the assignment stands (KIP-814)
    member_id: string = ""
    members: list[JoinGroupResponseMember] = field()  # empty but for the leader


class JoinGroupResponseMember(Message):
    """A member, as the leader needs it to assign partitions."""

    member_id: string = ""
    group_instance_id: string | None = since(5, default=None, ignorable=True)
    metadata: bytes_ = b""
