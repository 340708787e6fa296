"""DeleteGroups (key 42): forget empty groups and their offsets."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, string


class DeleteGroupsRequest(Message, api_key=42, versions=(0, 3), flexible_since=2):
    """Groups to delete."""

    groups_names: list[string] = field()


class DeleteGroupsResponse(Message, api_key=42, versions=(0, 3), flexible_since=2):
    """What became of them."""

    throttle_time_ms: int32 = 0
    results: list[DeletableGroupResult] = field()


class DeletableGroupResult(Message):
    """The outcome for one group."""

    group_id: string = ""
    error_code: int16 = 0
    error_message: string | None = since(3, default=None, ignorable=True)
