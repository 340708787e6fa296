"""Produce messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged, until
from godel.protocol.types import int16, int32, int64, record_bytes, string, uuid


class ProduceRequest(Message, api_key=0, versions=(3, 13), flexible_since=9):
    """TODO."""

    transactional_id: string | None = None
    acks: int16 = 0
    timeout_ms: int32 = 0
    topic_data: list[TopicProduceData] = field()


class TopicProduceData(Message):
    """TODO."""

    name: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partition_data: list[PartitionProduceData] = field()


class PartitionProduceData(Message):
    """TODO."""

    index: int32 = 0
    records: record_bytes | None = b""


class ProduceResponse(Message, api_key=0, versions=(3, 13), flexible_since=9):
    """TODO."""

    responses: list[TopicProduceResponse] = field()
    throttle_time_ms: int32 = 0
    node_endpoints: list[NodeEndpoint] = tagged(0, since=10)


class TopicProduceResponse(Message):
    """TODO."""

    name: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partition_responses: list[PartitionProduceResponse] = field()


class PartitionProduceResponse(Message):
    """TODO."""

    index: int32 = 0
    error_code: int16 = 0
    base_offset: int64 = 0
    log_append_time_ms: int64 = -1
    log_start_offset: int64 = since(5, default=-1, ignorable=True)
    record_errors: list[BatchIndexAndErrorMessage] = since(8, ignorable=True)
    error_message: string | None = since(8, default=None, ignorable=True)
    current_leader: LeaderIdAndEpoch = tagged(0, since=10)


class BatchIndexAndErrorMessage(Message):
    """TODO."""

    batch_index: int32 = 0
    batch_index_error_message: string | None = None


class LeaderIdAndEpoch(Message):
    """TODO."""

    leader_id: int32 = -1
    leader_epoch: int32 = -1


class NodeEndpoint(Message):
    """TODO."""

    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    rack: string | None = None
