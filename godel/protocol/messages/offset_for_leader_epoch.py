"""OffsetForLeaderEpoch (key 23): where a leader epoch ended, to find truncation (KIP-320)."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, int64, string


class OffsetForLeaderEpochRequest(Message, api_key=23, versions=(2, 4), flexible_since=4):
    """Epochs to look up."""

    # -1 a consumer, -2 a follower that does not say
    replica_id: int32 = since(3, default=-2, ignorable=True)
    topics: list[OffsetForLeaderTopic] = field()


class OffsetForLeaderTopic(Message):
    """The part of one topic."""

    topic: string = ""
    partitions: list[OffsetForLeaderPartition] = field()


class OffsetForLeaderPartition(Message):
    """The epoch to look up in one partition."""

    partition: int32 = 0
    current_leader_epoch: int32 = -1  # -1: do not check
    leader_epoch: int32 = 0


class OffsetForLeaderEpochResponse(Message, api_key=23, versions=(2, 4), flexible_since=4):
    """Where those epochs ended."""

    throttle_time_ms: int32 = 0
    topics: list[OffsetForLeaderTopicResult] = field()


class OffsetForLeaderTopicResult(Message):
    """The part of one topic."""

    topic: string = ""
    partitions: list[EpochEndOffset] = field()


class EpochEndOffset(Message):
    """Where an epoch ended."""

    error_code: int16 = 0
    partition: int32 = 0
    leader_epoch: int32 = -1
    end_offset: int64 = -1
