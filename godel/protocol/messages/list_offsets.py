"""ListOffsets messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, int64, string


class ListOffsetsRequest(Message, api_key=2, versions=(1, 11), flexible_since=6):
    """TODO."""

    replica_id: int32 = 0
    isolation_level: int8 = since(2)
    topics: list[ListOffsetsTopic] = field()
    timeout_ms: int32 = since(10, ignorable=True)


class ListOffsetsTopic(Message):
    """TODO."""

    name: string = ""
    partitions: list[ListOffsetsPartition] = field()


class ListOffsetsPartition(Message):
    """TODO."""

    partition_index: int32 = 0
    current_leader_epoch: int32 = since(4, default=-1, ignorable=True)
    timestamp: int64 = 0


class ListOffsetsResponse(Message, api_key=2, versions=(1, 11), flexible_since=6):
    """TODO."""

    throttle_time_ms: int32 = since(2, ignorable=True)
    topics: list[ListOffsetsTopicResponse] = field()


class ListOffsetsTopicResponse(Message):
    """TODO."""

    name: string = ""
    partitions: list[ListOffsetsPartitionResponse] = field()


class ListOffsetsPartitionResponse(Message):
    """TODO."""

    partition_index: int32 = 0
    error_code: int16 = 0
    timestamp: int64 = -1
    offset: int64 = -1
    leader_epoch: int32 = since(4, default=-1)
