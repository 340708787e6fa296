"""What clients are told of partitions whose disk has failed (Kafka's `KRaftMetadataCache`)."""

from __future__ import annotations

from collections.abc import Iterable

from godel.broker.broker import Broker
from godel.errors import ErrorCode
from godel.protocol.messages.describe_topic_partitions import (
    DescribeTopicPartitionsResponsePartition,
)
from godel.protocol.messages.metadata import MetadataResponsePartition
from godel.types import TopicPartition

NO_LEADER = -1


def tell_offline(
    broker: Broker,
    topic: str | None,
    partitions: Iterable[MetadataResponsePartition | DescribeTopicPartitionsResponsePartition],
) -> None:
    """Nobody leads them. As in Kafka the in-sync replicas stay as they were."""
    offline = broker.logs.offline
    if not offline or topic is None:
        return
    for partition in partitions:
        if TopicPartition(topic, partition.partition_index) in offline:
            partition.error_code = ErrorCode.LEADER_NOT_AVAILABLE
            partition.leader_id = NO_LEADER
            partition.offline_replicas = list(partition.replica_nodes)
