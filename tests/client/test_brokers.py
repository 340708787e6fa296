"""Brokers, and what is in their directories."""

from __future__ import annotations

import pytest

from godel.client.brokers import (
    api_versions,
    describe_cluster,
    fenced_brokers,
    leaders_sizes,
    log_directories,
    nodes,
)
from godel.client.cluster import Cluster
from godel.types import TopicPartition
from tests.wire import Client, batch

pytestmark = pytest.mark.anyio


async def test_the_brokers(cluster: Cluster) -> None:
    (node,) = nodes(await describe_cluster(cluster))
    assert (node.id, node.host, node.is_controller) == (1, "127.0.0.1", True)
    assert (await api_versions(cluster, 1)).api_keys
    assert await fenced_brokers(cluster) == []


async def test_sizes_of_partitions(cluster: Cluster, outside: Client) -> None:
    outside.create("flights")
    sent = batch("a")
    outside.produce("flights", sent)
    (directory,) = await log_directories(cluster, 1)
    where = TopicPartition("flights", 0)
    assert directory.sizes == {where: len(sent)}
    assert await leaders_sizes(cluster) == {where: len(sent)}
