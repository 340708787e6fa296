"""CreatePartitions messages."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class CreatePartitionsRequest(Message, api_key=37, versions=(0, 3), flexible_since=2):
    """TODO."""

    topics: list[CreatePartitionsTopic] = field()
    timeout_ms: int32 = 0
    validate_only: bool = False


class CreatePartitionsTopic(Message):
    """TODO."""

    name: string = ""
    count: int32 = 0
    assignments: list[CreatePartitionsAssignment] | None = field()


class CreatePartitionsAssignment(Message):
    """TODO."""

    broker_ids: list[int32] = field()


class CreatePartitionsResponse(Message, api_key=37, versions=(0, 3), flexible_since=2):
    """TODO."""

    throttle_time_ms: int32 = 0
    results: list[CreatePartitionsTopicResult] = field()


class CreatePartitionsTopicResult(Message):
    """TODO."""

    name: string = ""
    error_code: int16 = 0
    error_message: string | None = None
