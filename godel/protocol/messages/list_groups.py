"""ListGroups (key 16): the groups this broker coordinates."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, string


class ListGroupsRequest(Message, api_key=16, versions=(0, 5), flexible_since=3):
    """Filters; an empty one lets everything pass."""

    states_filter: list[string] = since(4)  # KIP-518
    types_filter: list[string] = since(5)  # KIP-848


class ListGroupsResponse(Message, api_key=16, versions=(0, 5), flexible_since=3):
    """The groups found."""

    throttle_time_ms: int32 = since(1, ignorable=True)
    error_code: int16 = 0
    groups: list[ListedGroup] = field()


class ListedGroup(Message):
    """One group."""

    group_id: string = ""
    protocol_type: string = ""
    group_state: string = since(4, ignorable=True)
    group_type: string = since(5, ignorable=True)  # "classic", "consumer", ...
