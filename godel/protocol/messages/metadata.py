"""Metadata (key 3): brokers, topics, partitions and their leaders; may create topics.

In requests null topics asks for all of them and an empty list for none, but in v0 an empty list
is all. Topic ids are in answers since v10, in questions since v12.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, string, uuid


class MetadataRequest(Message, api_key=3, versions=(0, 13), flexible_since=9):
    """Which topics to describe."""

    topics: list[MetadataRequestTopic] | None = field(nullable_since=1)  # null: all
    allow_auto_topic_creation: bool = since(4, default=True)  # before v4 always
    include_cluster_authorized_operations: bool = since(8, until=10)
    include_topic_authorized_operations: bool = since(8)


class MetadataRequestTopic(Message):
    """A topic by name or, since v12, by id."""

    topic_id: uuid = since(10, ignorable=True)
    name: string | None = field(nullable_since=10)


class MetadataResponse(Message, api_key=3, versions=(0, 13), flexible_since=9):
    """The cluster as the broker sees it."""

    throttle_time_ms: int32 = since(3, ignorable=True)
    brokers: list[MetadataResponseBroker] = field()
    cluster_id: string | None = since(2, default=None, ignorable=True)
    controller_id: int32 = since(1, default=-1, ignorable=True)
    topics: list[MetadataResponseTopic] = field()
    # bits by AclOperation; this when not asked
    cluster_authorized_operations: int32 = since(8, until=10, default=-2147483648)
    error_code: int16 = since(13, ignorable=True)  # REBOOTSTRAP_REQUIRED (KIP-1102)


class MetadataResponseBroker(Message):
    """An address that clients can reach."""

    node_id: int32 = 0
    host: string = ""
    port: int32 = 0
    rack: string | None = since(1, default=None, ignorable=True)


class MetadataResponseTopic(Message):
    """A topic, or why there is none."""

    error_code: int16 = 0
    name: string | None = field(nullable_since=12)  # null when the id asked for is not known
    topic_id: uuid = since(10, ignorable=True)
    is_internal: bool = since(1, ignorable=True)
    partitions: list[MetadataResponsePartition] = field()
    # bits by AclOperation; this when not asked
    topic_authorized_operations: int32 = since(8, default=-2147483648)


class MetadataResponsePartition(Message):
    """A partition and its replicas."""

    error_code: int16 = 0
    partition_index: int32 = 0
    leader_id: int32 = 0  # -1: none
    leader_epoch: int32 = since(7, default=-1, ignorable=True)
    replica_nodes: list[int32] = field()
    isr_nodes: list[int32] = field()
    offline_replicas: list[int32] = since(5, ignorable=True)
