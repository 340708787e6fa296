"""DescribeGroups (key 15): state and members of classic groups."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import bytes_, int16, int32, string


class DescribeGroupsRequest(Message, api_key=15, versions=(0, 6), flexible_since=5):
    """Groups to describe."""

    groups: list[string] = field()
    include_authorized_operations: bool = since(3)


class DescribeGroupsResponse(Message, api_key=15, versions=(0, 6), flexible_since=5):
    """The groups described."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    groups: list[DescribedGroup] = field()


class DescribedGroup(Message):
    """One group. A group that does not exist has state Dead (v6: also an error)."""

    error_code: int16 = 0
    error_message: string | None = since(6, default=None)
    group_id: string = ""
    group_state: string = ""
    protocol_type: string = ""
    protocol_data: string = ""  # the chosen assignor
    members: list[DescribedGroupMember] = field()
    # bits by AclOperation; this when not asked
    authorized_operations: int32 = since(3, default=-2147483648)


class DescribedGroupMember(Message):
    """One member, with what it sent and what it was given."""

    member_id: string = ""
    group_instance_id: string | None = since(4, default=None, ignorable=True)
    client_id: string = ""
    client_host: string = ""
    member_metadata: bytes_ = b""
    member_assignment: bytes_ = b""
