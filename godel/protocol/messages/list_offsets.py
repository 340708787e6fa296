"""ListOffsets (key 2): the offset that belongs to a timestamp, or to the start or end.

Negative timestamps are questions: -1 end, -2 start, -3 largest timestamp (v7), -4 local start
(v8), -5 last tiered (v9), -6 earliest not yet uploaded (v11).
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, int64, string


class ListOffsetsRequest(Message, api_key=2, versions=(1, 11), flexible_since=6):
    """Timestamps to look up."""

    replica_id: int32 = 0  # -1: a consumer
    isolation_level: int8 = since(2)  # read_committed: the end is the last stable offset
    topics: list[ListOffsetsTopic] = field()
    timeout_ms: int32 = since(10, ignorable=True)  # for answers that wait for tiered storage


class ListOffsetsTopic(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[ListOffsetsPartition] = field()


class ListOffsetsPartition(Message):
    """One timestamp, or question, for one partition."""

    partition_index: int32 = 0
    current_leader_epoch: int32 = since(4, default=-1, ignorable=True)  # -1: do not check
    timestamp: int64 = 0


class ListOffsetsResponse(Message, api_key=2, versions=(1, 11), flexible_since=6):
    """The offsets found."""

    throttle_time_ms: int32 = since(2, ignorable=True)
    topics: list[ListOffsetsTopicResponse] = field()


class ListOffsetsTopicResponse(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[ListOffsetsPartitionResponse] = field()


class ListOffsetsPartitionResponse(Message):
    """The offset found; -1 and no error when there is none."""

    partition_index: int32 = 0
    error_code: int16 = 0
    timestamp: int64 = -1
    offset: int64 = -1
    leader_epoch: int32 = since(4, default=-1)
