"""CreatePartitions (key 37): give topics more partitions."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class CreatePartitionsRequest(Message, api_key=37, versions=(0, 3), flexible_since=2):
    """Topics to enlarge."""

    topics: list[CreatePartitionsTopic] = field()
    timeout_ms: int32 = 0
    validate_only: bool = False


class CreatePartitionsTopic(Message):
    """One topic and how many partitions it shall have in all."""

    name: string = ""
    count: int32 = 0  # in all, not in addition
    assignments: list[CreatePartitionsAssignment] | None = field()  # null: let the broker choose


class CreatePartitionsAssignment(Message):
    """Which brokers hold one of the new partitions."""

    broker_ids: list[int32] = field()


class CreatePartitionsResponse(Message, api_key=37, versions=(0, 3), flexible_since=2):
    """What became of them."""

    throttle_time_ms: int32 = 0
    results: list[CreatePartitionsTopicResult] = field()


class CreatePartitionsTopicResult(Message):
    """The outcome for one topic."""

    name: string = ""
    error_code: int16 = 0
    error_message: string | None = None
