"""ListGroups messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, string


class ListGroupsRequest(Message, api_key=16, versions=(0, 5), flexible_since=3):
    """TODO."""

    states_filter: list[string] = since(4)
    types_filter: list[string] = since(5)


class ListGroupsResponse(Message, api_key=16, versions=(0, 5), flexible_since=3):
    """TODO."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = 0
    groups: list[ListedGroup] = field()


class ListedGroup(Message):
    """TODO."""

    group_id: string = ""
    protocol_type: string = ""
    group_state: string = since(4, ignorable=True)
    group_type: string = since(5, ignorable=True)
