"""ListPartitionReassignments (key 46): which partitions are on the move (KIP-455)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class ListPartitionReassignmentsRequest(Message, api_key=46, versions=(0, 0), flexible_since=0):
    """Which partitions to tell about; null: all."""

    timeout_ms: int32 = 60000
    topics: list[ListPartitionReassignmentsTopics] | None = None


class ListPartitionReassignmentsTopics(Message):
    """The partitions of one topic."""

    name: string = ""
    partition_indexes: list[int32] = field()


class ListPartitionReassignmentsResponse(Message, api_key=46, versions=(0, 0), flexible_since=0):
    """Those on the move."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
    topics: list[OngoingTopicReassignment] = field()


class OngoingTopicReassignment(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[OngoingPartitionReassignment] = field()


class OngoingPartitionReassignment(Message):
    """One partition on the move."""

    partition_index: int32 = 0
    replicas: list[int32] = field()
    adding_replicas: list[int32] = field()
    removing_replicas: list[int32] = field()
