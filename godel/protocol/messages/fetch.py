"""Fetch messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged, until
from godel.protocol.types import int8, int16, int32, int64, record_buffers, string, uuid


class FetchRequest(Message, api_key=1, versions=(4, 18), flexible_since=12):
    """TODO."""

    cluster_id: string | None = tagged(0, since=12, default=None, ignorable=True)
    replica_id: int32 = until(14, default=-1)
    replica_state: ReplicaState = tagged(1, since=15)
    max_wait_ms: int32 = 0
    min_bytes: int32 = 0
    max_bytes: int32 = 0x7FFFFFFF
    isolation_level: int8 = 0
    session_id: int32 = since(7, ignorable=True)
    session_epoch: int32 = since(7, default=-1, ignorable=True)
    topics: list[FetchTopic] = field()
    forgotten_topics_data: list[ForgottenTopic] = since(7)
    rack_id: string = since(11, ignorable=True)


class ReplicaState(Message):
    """TODO."""

    replica_id: int32 = -1
    replica_epoch: int64 = -1


class FetchTopic(Message):
    """TODO."""

    topic: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partitions: list[FetchPartition] = field()


class FetchPartition(Message):
    """TODO."""

    partition: int32 = 0
    current_leader_epoch: int32 = since(9, default=-1, ignorable=True)
    fetch_offset: int64 = 0
    last_fetched_epoch: int32 = since(12, default=-1)
    log_start_offset: int64 = since(5, default=-1, ignorable=True)
    partition_max_bytes: int32 = 0
    replica_directory_id: uuid = tagged(0, since=17, ignorable=True)
    high_watermark: int64 = tagged(1, since=18, default=0x7FFFFFFFFFFFFFFF, ignorable=True)


class ForgottenTopic(Message):
    """TODO."""

    topic: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partitions: list[int32] = field()


class FetchResponse(Message, api_key=1, versions=(4, 18), flexible_since=12):
    """TODO."""

    throttle_time_ms: int32 = 0
    error_code: int16 = since(7, ignorable=True)
    session_id: int32 = since(7)
    responses: list[FetchableTopicResponse] = field()
    node_endpoints: list[NodeEndpoint] = tagged(0, since=16)


class FetchableTopicResponse(Message):
    """TODO."""

    topic: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partitions: list[PartitionData] = field()


class PartitionData(Message):
    """TODO."""

    partition_index: int32 = 0
    error_code: int16 = 0
    high_watermark: int64 = 0
    last_stable_offset: int64 = -1
    log_start_offset: int64 = since(5, default=-1, ignorable=True)
    diverging_epoch: EpochEndOffset = tagged(0, since=12)
    current_leader: LeaderIdAndEpoch = tagged(1, since=12)
    snapshot_id: SnapshotId = tagged(2, since=12)
    aborted_transactions: list[AbortedTransaction] | None = field()
    preferred_read_replica: int32 = since(11, default=-1)
    records: record_buffers | None = b""


class EpochEndOffset(Message):
    """TODO."""

    epoch: int32 = -1
    end_offset: int64 = -1


class LeaderIdAndEpoch(Message):
    """TODO."""

    leader_id: int32 = -1
    leader_epoch: int32 = -1


class SnapshotId(Message):
    """TODO."""

    end_offset: int64 = -1
    epoch: int32 = -1


class AbortedTransaction(Message):
    """TODO."""

    producer_id: int64 = 0
    first_offset: int64 = 0


class NodeEndpoint(Message):
    """TODO."""

    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    rack: string | None = None
