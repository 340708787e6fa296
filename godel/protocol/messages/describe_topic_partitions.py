"""DescribeTopicPartitions (key 75): topics and their partitions, page by page (KIP-966)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string, uuid
from godel.types import ZERO_ID


class DescribeTopicPartitionsRequest(Message, api_key=75, versions=(0, 0), flexible_since=0):
    """Which topics, from where on."""

    topics: list[TopicRequest] = field()
    response_partition_limit: int32 = 2000
    cursor: Cursor | None = None


class TopicRequest(Message):
    """A topic by name."""

    name: string = ""


class Cursor(Message):
    """Where a page begins, or the next one would."""

    topic_name: string = ""
    partition_index: int32 = 0


class DescribeTopicPartitionsResponse(Message, api_key=75, versions=(0, 0), flexible_since=0):
    """One page."""

    throttle_time_ms: int32 = 0
    topics: list[DescribeTopicPartitionsResponseTopic] = field()
    next_cursor: Cursor | None = None


class DescribeTopicPartitionsResponseTopic(Message):
    """One topic."""

    error_code: int16 = 0
    name: string | None = ""
    topic_id: uuid = ZERO_ID
    is_internal: bool = False
    partitions: list[DescribeTopicPartitionsResponsePartition] = field()
    topic_authorized_operations: int32 = -2147483648


class DescribeTopicPartitionsResponsePartition(Message):
    """One partition."""

    error_code: int16 = 0
    partition_index: int32 = 0
    leader_id: int32 = 0
    leader_epoch: int32 = -1
    replica_nodes: list[int32] = field()
    isr_nodes: list[int32] = field()
    eligible_leader_replicas: list[int32] | None = None
    last_known_elr: list[int32] | None = None
    offline_replicas: list[int32] = field()
