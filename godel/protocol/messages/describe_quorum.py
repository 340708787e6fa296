"""DescribeQuorum (key 55): the state of the metadata quorum (KIP-595, KIP-836, KIP-853).

Kafka calls the request's and the response's structs alike; the response's end in `Response` here.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, int64, string, uint16, uuid


class DescribeQuorumRequest(Message, api_key=55, versions=(0, 2), flexible_since=0):
    """Which partitions; there is one."""

    topics: list[TopicData] = field()


class TopicData(Message):
    """The part of one topic."""

    topic_name: string = ""
    partitions: list[PartitionData] = field()


class PartitionData(Message):
    """One partition."""

    partition_index: int32 = 0


class DescribeQuorumResponse(Message, api_key=55, versions=(0, 2), flexible_since=0):
    """Their quorums."""

    error_code: int16 = 0
    error_message: string | None = since(2, ignorable=True)
    topics: list[TopicDataResponse] = field()
    nodes: list[Node] = since(2)


class TopicDataResponse(Message):
    """The part of one topic."""

    topic_name: string = ""
    partitions: list[PartitionDataResponse] = field()


class PartitionDataResponse(Message):
    """One partition."""

    partition_index: int32 = 0
    error_code: int16 = 0
    error_message: string | None = since(2, ignorable=True)
    leader_id: int32 = 0
    leader_epoch: int32 = 0
    high_watermark: int64 = 0
    current_voters: list[ReplicaState] = field()
    observers: list[ReplicaState] = field()


class ReplicaState(Message):
    """A replica and how far it is."""

    replica_id: int32 = 0
    replica_directory_id: uuid = since(2)
    log_end_offset: int64 = 0
    last_fetch_timestamp: int64 = since(1, default=-1, ignorable=True)
    last_caught_up_timestamp: int64 = since(1, default=-1, ignorable=True)


class Node(Message):
    """A voter and where it listens."""

    node_id: int32 = 0
    listeners: list[Listener] = field()


class Listener(Message):
    """One of its endpoints."""

    name: string = ""
    host: string = ""
    port: uint16 = 0
