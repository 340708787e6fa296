"""DeleteRecords (key 21): move the log start of partitions forward (KIP-107)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, int64, string


class DeleteRecordsRequest(Message, api_key=21, versions=(0, 2), flexible_since=2):
    """What to delete."""

    topics: list[DeleteRecordsTopic] = field()
    timeout_ms: int32 = 0


class DeleteRecordsTopic(Message):
    """The partitions of one topic."""

    name: string = ""
    partitions: list[DeleteRecordsPartition] = field()


class DeleteRecordsPartition(Message):
    """Everything before an offset; -1: everything that consumers see."""

    partition_index: int32 = 0
    offset: int64 = 0


class DeleteRecordsResponse(Message, api_key=21, versions=(0, 2), flexible_since=2):
    """What became of it."""

    throttle_time_ms: int32 = 0
    topics: list[DeleteRecordsTopicResult] = field()


class DeleteRecordsTopicResult(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[DeleteRecordsPartitionResult] = field()


class DeleteRecordsPartitionResult(Message):
    """Where a partition begins now; -1 when it failed."""

    partition_index: int32 = 0
    low_watermark: int64 = 0
    error_code: int16 = 0
