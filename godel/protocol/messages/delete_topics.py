"""DeleteTopics (key 20): delete topics.

By name up to v5; v6 has one list of entries, each with a name or an id.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, until
from godel.protocol.types import int16, int32, string, uuid
from godel.types import ZERO_ID


class DeleteTopicsRequest(Message, api_key=20, versions=(1, 6), flexible_since=4):
    """Topics to delete."""

    topics: list[DeleteTopicState] = since(6)
    topic_names: list[string] = until(5, ignorable=True)
    timeout_ms: int32 = 0


class DeleteTopicState(Message):
    """A topic by name or, where the name is null, by id."""

    name: string | None = None
    topic_id: uuid = ZERO_ID


class DeleteTopicsResponse(Message, api_key=20, versions=(1, 6), flexible_since=4):
    """What became of them."""

    throttle_time_ms: int32 = 0
    responses: list[DeletableTopicResult] = field()


class DeletableTopicResult(Message):
    """The outcome for one topic."""

    name: string | None = field(nullable_since=6)
    topic_id: uuid = since(6, ignorable=True)
    error_code: int16 = 0
    error_message: string | None = since(5, default=None, ignorable=True)
