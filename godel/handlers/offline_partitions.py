"""What clients are told of partitions whose disk has failed (Kafka's `KRaftMetadataCache`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from godel.broker.broker import Broker
from godel.protocol.messages.describe_topic_partitions import (
    DescribeTopicPartitionsResponsePartition,
)
from godel.protocol.messages.metadata import MetadataResponsePartition
from godel.types import TopicPartition

NO_LEADER = -1

Told = TypeVar("Told", MetadataResponsePartition, DescribeTopicPartitionsResponsePartition)


def tell_offline(broker: Broker, topic: str | None, partitions: Sequence[Told]) -> list[Told]:
    """Those of the partitions that are offline: now without a leader, and nobody is in sync."""
    offline = broker.logs.offline
    if not offline or topic is None:
        return []
    found = [one for one in partitions if TopicPartition(topic, one.partition_index) in offline]
    for partition in found:
        partition.leader_id = NO_LEADER
        partition.isr_nodes = []
        partition.offline_replicas = list(partition.replica_nodes)
    return found
