"""AlterPartitionReassignments (key 45): move partitions to other brokers (KIP-455)."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, string


class AlterPartitionReassignmentsRequest(Message, api_key=45, versions=(0, 1), flexible_since=0):
    """What to move where."""

    timeout_ms: int32 = 60000
    allow_replication_factor_change: bool = since(1, default=True)
    topics: list[ReassignableTopic] = field()


class ReassignableTopic(Message):
    """The partitions of one topic."""

    name: string = ""
    partitions: list[ReassignablePartition] = field()


class ReassignablePartition(Message):
    """Where a partition shall be; null: call off what is under way."""

    partition_index: int32 = 0
    replicas: list[int32] | None = None


class AlterPartitionReassignmentsResponse(Message, api_key=45, versions=(0, 1), flexible_since=0):
    """What became of it."""

    throttle_time_ms: int32 = 0
    allow_replication_factor_change: bool = since(1, default=True, ignorable=True)
    error_code: int16 = 0
    error_message: string | None = ""
    responses: list[ReassignableTopicResponse] = field()


class ReassignableTopicResponse(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[ReassignablePartitionResponse] = field()


class ReassignablePartitionResponse(Message):
    """The outcome for one partition."""

    partition_index: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
