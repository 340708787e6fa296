"""Produce (key 0): append record batches to partitions.

Versions differ in fields from v9 on (flexible). v10 adds leader hints (KIP-951), v13 names topics
by id (KIP-516). A request with acks=0 has no response.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged, until
from godel.protocol.types import int16, int32, int64, record_bytes, string, uuid


class ProduceRequest(Message, api_key=0, versions=(3, 13), flexible_since=9):
    """Batches for some partitions."""

    transactional_id: string | None = None
    acks: int16 = 0  # 0 none, 1 leader, -1 all in sync
    timeout_ms: int32 = 0
    topic_data: list[TopicProduceData] = field()


class TopicProduceData(Message):
    """The part of one topic."""

    name: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partition_data: list[PartitionProduceData] = field()


class PartitionProduceData(Message):
    """The batch for one partition."""

    index: int32 = 0
    records: record_bytes | None = b""  # exactly one batch, or null


class ProduceResponse(Message, api_key=0, versions=(3, 13), flexible_since=9):
    """What became of each batch."""

    responses: list[TopicProduceResponse] = field()
    throttle_time_ms: int32 = 0
    node_endpoints: list[NodeEndpoint] = tagged(0, since=10)  # KIP-951


class TopicProduceResponse(Message):
    """The part of one topic."""

    name: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partition_responses: list[PartitionProduceResponse] = field()


class PartitionProduceResponse(Message):
    """Where the batch was appended, or why not."""

    index: int32 = 0
    error_code: int16 = 0
    base_offset: int64 = 0  # -1 on error
    log_append_time_ms: int64 = -1  # -1: CreateTime
    log_start_offset: int64 = since(5, default=-1, ignorable=True)
    record_errors: list[BatchIndexAndErrorMessage] = since(8, ignorable=True)
    error_message: string | None = since(8, default=None, ignorable=True)
    # KIP-951: only with NOT_LEADER_OR_FOLLOWER
    current_leader: LeaderIdAndEpoch = tagged(0, since=10)


class BatchIndexAndErrorMessage(Message):
    """One refused record of a batch (KIP-467)."""

    batch_index: int32 = 0
    batch_index_error_message: string | None = None


class LeaderIdAndEpoch(Message):
    """The leader as this broker knows it (KIP-951)."""

    leader_id: int32 = -1
    leader_epoch: int32 = -1


class NodeEndpoint(Message):
    """Where to find a leader that was named."""

    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    rack: string | None = None
