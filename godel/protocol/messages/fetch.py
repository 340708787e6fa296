"""Fetch (key 1): read record batches, waiting for them if need be.

v7 brings sessions (KIP-227), v9 leader epochs (KIP-320), v11 racks (KIP-392), v12 flexible
encoding, v13 topic ids (KIP-516), v15 moves the follower's identity into a tag (KIP-903).
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged, until
from godel.protocol.types import int8, int16, int32, int64, record_buffers, string, uuid


class FetchRequest(Message, api_key=1, versions=(4, 18), flexible_since=12):
    """What to read and how long to wait for it."""

    cluster_id: string | None = tagged(0, since=12, default=None, ignorable=True)
    replica_id: int32 = until(14, default=-1)  # -1: a consumer
    replica_state: ReplicaState = tagged(1, since=15)
    max_wait_ms: int32 = 0
    min_bytes: int32 = 0
    max_bytes: int32 = 0x7FFFFFFF  # KIP-74: not counting the first batch
    isolation_level: int8 = 0  # 0 read_uncommitted, 1 read_committed
    session_id: int32 = since(7, ignorable=True)  # KIP-227; 0: no session yet
    # 0 opens a session, -1 does without
    session_epoch: int32 = since(7, default=-1, ignorable=True)
    topics: list[FetchTopic] = field()
    forgotten_topics_data: list[ForgottenTopic] = since(7)
    rack_id: string = since(11, ignorable=True)  # KIP-392


class ReplicaState(Message):
    """A follower names itself; consumers leave the default."""

    replica_id: int32 = -1
    replica_epoch: int64 = -1


class FetchTopic(Message):
    """The part of one topic."""

    topic: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partitions: list[FetchPartition] = field()


class FetchPartition(Message):
    """One partition to read, from an offset on."""

    partition: int32 = 0
    # KIP-320; -1: do not check
    current_leader_epoch: int32 = since(9, default=-1, ignorable=True)
    fetch_offset: int64 = 0
    last_fetched_epoch: int32 = since(12, default=-1)  # KIP-595
    log_start_offset: int64 = since(5, default=-1, ignorable=True)  # followers only
    partition_max_bytes: int32 = 0
    replica_directory_id: uuid = tagged(0, since=17, ignorable=True)  # KIP-853
    # KIP-1166; the default means that the follower does not say
    high_watermark: int64 = tagged(1, since=18, default=0x7FFFFFFFFFFFFFFF, ignorable=True)


class ForgottenTopic(Message):
    """Partitions that the session is to drop."""

    topic: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partitions: list[int32] = field()


class FetchResponse(Message, api_key=1, versions=(4, 18), flexible_since=12):
    """Batches, and the state of their partitions."""

    throttle_time_ms: int32 = 0
    error_code: int16 = since(7, ignorable=True)
    session_id: int32 = since(7)  # 0: no session was opened
    responses: list[FetchableTopicResponse] = field()
    node_endpoints: list[NodeEndpoint] = tagged(0, since=16)  # KIP-951


class FetchableTopicResponse(Message):
    """The part of one topic."""

    topic: string = until(12, ignorable=True)
    topic_id: uuid = since(13, ignorable=True)
    partitions: list[PartitionData] = field()


class PartitionData(Message):
    """One partition: its offsets and batches."""

    partition_index: int32 = 0
    error_code: int16 = 0
    high_watermark: int64 = 0
    last_stable_offset: int64 = -1
    log_start_offset: int64 = since(5, default=-1, ignorable=True)
    diverging_epoch: EpochEndOffset = tagged(0, since=12)  # KIP-595: the log differs from here on
    current_leader: LeaderIdAndEpoch = tagged(1, since=12)
    snapshot_id: SnapshotId = tagged(2, since=12)
    aborted_transactions: list[AbortedTransaction] | None = field()  # null for read_uncommitted
    preferred_read_replica: int32 = since(11, default=-1)  # -1: stay with the leader
    # our default is empty, not null: some clients cannot read null
    records: record_buffers | None = b""


class EpochEndOffset(Message):
    """Where an epoch ended."""

    epoch: int32 = -1
    end_offset: int64 = -1


class LeaderIdAndEpoch(Message):
    """The leader as this broker knows it (KIP-951)."""

    leader_id: int32 = -1
    leader_epoch: int32 = -1


class SnapshotId(Message):
    """Which snapshot a follower should load instead."""

    end_offset: int64 = -1
    epoch: int32 = -1


class AbortedTransaction(Message):
    """A transaction that readers of committed records must skip."""

    producer_id: int64 = 0
    first_offset: int64 = 0


class NodeEndpoint(Message):
    """Where to find a leader that was named."""

    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    rack: string | None = None
