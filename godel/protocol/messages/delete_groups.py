"""DeleteGroups messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, string


class DeleteGroupsRequest(Message, api_key=42, versions=(0, 3), flexible_since=2):
    """TODO."""

    groups_names: list[string] = field()


class DeleteGroupsResponse(Message, api_key=42, versions=(0, 3), flexible_since=2):
    """TODO."""

    throttle_time_ms: int32 = 0
    results: list[DeletableGroupResult] = field()


class DeletableGroupResult(Message):
    """TODO."""

    group_id: string = ""
    error_code: int16 = 0
    error_message: string | None = since(3, default=None, ignorable=True)
