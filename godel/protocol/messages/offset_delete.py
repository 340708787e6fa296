"""OffsetDelete (key 47): forget committed offsets of a group (KIP-496). Never flexible."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class OffsetDeleteRequest(Message, api_key=47, versions=(0, 0)):
    """Which offsets to forget."""

    group_id: string = ""
    topics: list[OffsetDeleteRequestTopic] = field()


class OffsetDeleteRequestTopic(Message):
    """The partitions of one topic."""

    name: string = ""
    partitions: list[OffsetDeleteRequestPartition] = field()


class OffsetDeleteRequestPartition(Message):
    """One partition."""

    partition_index: int32 = 0


class OffsetDeleteResponse(Message, api_key=47, versions=(0, 0)):
    """What became of it."""

    error_code: int16 = 0
    throttle_time_ms: int32 = 0
    topics: list[OffsetDeleteResponseTopic] = field()


class OffsetDeleteResponseTopic(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[OffsetDeleteResponsePartition] = field()


class OffsetDeleteResponsePartition(Message):
    """The outcome for one partition."""

    partition_index: int32 = 0
    error_code: int16 = 0
