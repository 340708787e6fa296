"""The brokers of a cluster: who they are, what they store and where, which features they run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from godel.client.cluster import Cluster, check
from godel.client.connection import UnsupportedApi
from godel.errors import ApiError
from godel.protocol.messages.api_versions import ApiVersionsResponse
from godel.protocol.messages.describe_cluster import (
    DescribeClusterRequest,
    DescribeClusterResponse,
)
from godel.protocol.messages.describe_log_dirs import (
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
)
from godel.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    PartitionData,
    TopicData,
)
from godel.protocol.messages.metadata import MetadataResponse
from godel.types import TopicPartition

FENCED_ARE_TOLD_SINCE = 2
"""The version of DescribeCluster."""


class Node(NamedTuple):
    """A broker."""

    id: int
    host: str
    port: int
    rack: str | None
    is_controller: bool


@dataclass(frozen=True, slots=True)
class LogDirectory:
    """A directory in which a broker keeps logs."""

    broker: int
    path: str
    error_code: int
    sizes: dict[TopicPartition, int]
    total_bytes: int
    usable_bytes: int
    """Of the volume; -1: not known."""


async def describe_cluster(cluster: Cluster) -> MetadataResponse:
    """The cluster's id, controller and brokers."""
    metadata = await cluster.metadata([])
    with suppress(UnsupportedApi, ApiError):  # there is ZooKeeper, or not everybody is told
        metadata.controller_id = await _quorum_leader(cluster)
    return metadata


async def _quorum_leader(cluster: Cluster) -> int:
    """Which node is the controller; -1: none is. It need not be a broker.

    Brokers that have no ZooKeeper say that of any broker in their metadata: each passes on what is
    for the controller.
    """
    request = DescribeQuorumRequest(topics=[TopicData("__cluster_metadata", [PartitionData(0)])])
    answer = await cluster.ask_any(request, DescribeQuorumResponse)
    check(answer.error_code, answer.error_message)
    ((partition,),) = [topic.partitions for topic in answer.topics]
    check(partition.error_code, partition.error_message)
    return partition.leader_id


async def fenced_brokers(cluster: Cluster) -> list[Node]:
    """Brokers that the controller knows and leaves out, for it does not hear of them.

    None before Kafka 4.1, which does not tell.
    """
    request = DescribeClusterRequest(include_fenced_brokers=True)
    connection = await cluster.any()
    try:
        if connection.version_of(request, DescribeClusterResponse) < FENCED_ARE_TOLD_SINCE:
            return []
    except UnsupportedApi:
        return []
    answer = await cluster.ask_any(request, DescribeClusterResponse)
    check(answer.error_code, answer.error_message)
    fenced = [each for each in answer.brokers if each.is_fenced]
    return sorted(Node(each.broker_id, each.host, each.port, each.rack, False) for each in fenced)


def nodes(metadata: MetadataResponse) -> list[Node]:
    """The brokers, by id."""
    found = [
        Node(each.node_id, each.host, each.port, each.rack, each.node_id == metadata.controller_id)
        for each in metadata.brokers
    ]
    return sorted(found)


async def api_versions(cluster: Cluster, node_id: int) -> ApiVersionsResponse:
    """What a broker offered when the connection to it was made."""
    return (await cluster.node(node_id)).negotiated


async def log_directories(cluster: Cluster, node_id: int) -> list[LogDirectory]:
    """The log directories of a broker, with the size of every partition in them."""
    request = DescribeLogDirsRequest(topics=None)
    answer = await cluster.ask_node(node_id, request, DescribeLogDirsResponse)
    check(answer.error_code)
    return [
        LogDirectory(
            broker=node_id,
            path=each.log_dir,
            error_code=each.error_code,
            sizes={
                TopicPartition(topic.name, partition.partition_index): partition.partition_size
                for topic in each.topics
                for partition in topic.partitions
                if not partition.is_future_key
            },
            total_bytes=each.total_bytes,
            usable_bytes=each.usable_bytes,
        )
        for each in answer.results
    ]


async def leaders_sizes(cluster: Cluster) -> dict[TopicPartition, int]:
    """How many bytes each partition takes on the broker that leads it."""
    sizes: dict[TopicPartition, int] = {}
    for node in nodes(await cluster.metadata([])):
        for directory in await log_directories(cluster, node.id):
            for partition, size_bytes in directory.sizes.items():
                if await cluster.leader(partition) == node.id:
                    sizes[partition] = size_bytes
    return sizes
