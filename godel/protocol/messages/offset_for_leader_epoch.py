"""OffsetForLeaderEpoch messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, int64, string


class OffsetForLeaderEpochRequest(Message, api_key=23, versions=(2, 4), flexible_since=4):
    """TODO."""

    replica_id: int32 = since(3, default=-2, ignorable=True)
    topics: list[OffsetForLeaderTopic] = field()


class OffsetForLeaderTopic(Message):
    """TODO."""

    topic: string = ""
    partitions: list[OffsetForLeaderPartition] = field()


class OffsetForLeaderPartition(Message):
    """TODO."""

    partition: int32 = 0
    current_leader_epoch: int32 = -1
    leader_epoch: int32 = 0


class OffsetForLeaderEpochResponse(Message, api_key=23, versions=(2, 4), flexible_since=4):
    """TODO."""

    throttle_time_ms: int32 = 0
    topics: list[OffsetForLeaderTopicResult] = field()


class OffsetForLeaderTopicResult(Message):
    """TODO."""

    topic: string = ""
    partitions: list[EpochEndOffset] = field()


class EpochEndOffset(Message):
    """TODO."""

    error_code: int16 = 0
    partition: int32 = 0
    leader_epoch: int32 = -1
    end_offset: int64 = -1
