"""DescribeProducers (key 61): the producers that a partition knows (KIP-664)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, int64, string


class DescribeProducersRequest(Message, api_key=61, versions=(0, 0), flexible_since=0):
    """Which partitions."""

    topics: list[TopicRequest] = field()


class TopicRequest(Message):
    """The partitions of one topic."""

    name: string = ""
    partition_indexes: list[int32] = field()


class DescribeProducersResponse(Message, api_key=61, versions=(0, 0), flexible_since=0):
    """Their producers."""

    throttle_time_ms: int32 = 0
    topics: list[TopicResponse] = field()


class TopicResponse(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[PartitionResponse] = field()


class PartitionResponse(Message):
    """The producers of one partition."""

    partition_index: int32 = 0
    error_code: int16 = 0
    error_message: string | None = None
    active_producers: list[ProducerState] = field()


class ProducerState(Message):
    """One producer."""

    producer_id: int64 = 0
    producer_epoch: int32 = 0
    last_sequence: int32 = -1
    last_timestamp: int64 = -1
    coordinator_epoch: int32 = 0
    current_txn_start_offset: int64 = -1  # -1: no transaction is open
