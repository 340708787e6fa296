"""DescribeQuorum over the wire, in every version."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    Listener,
    PartitionData,
    TopicData,
)
from godel.testing import Broker
from tests.wire import NOW_MS, Client

METADATA = "__cluster_metadata"


def request(*topics: tuple[str, list[int]]) -> DescribeQuorumRequest:
    return DescribeQuorumRequest(
        [TopicData(name, [PartitionData(index) for index in indexes]) for name, indexes in topics]
    )


@pytest.mark.parametrize("version", range(3))
def test_we_are_the_only_voter(client: Client, broker: Broker, version: int) -> None:
    response = client.send(request((METADATA, [0])), version)
    assert response.error_code == 0
    (topic,) = response.topics
    (partition,) = topic.partitions
    node_id = broker.node.broker.node_id
    assert (topic.topic_name, partition.error_code, partition.leader_id) == (METADATA, 0, node_id)
    (voter,) = partition.current_voters
    assert partition.observers == []
    assert voter.replica_id == node_id
    assert voter.log_end_offset == partition.high_watermark > 0
    if version >= 1:
        assert voter.last_fetch_timestamp == voter.last_caught_up_timestamp == NOW_MS
    if version >= 2:
        assert any(voter.replica_directory_id)
        (node,) = response.nodes
        endpoint = broker.node.endpoint
        assert node.node_id == node_id
        assert node.listeners == [Listener("PLAINTEXT", endpoint.host, endpoint.port)]


@pytest.mark.parametrize("version", range(3))
@pytest.mark.parametrize(
    "asked",
    [
        [(METADATA, [1])],
        [(METADATA, [0, 1])],
        [("t", [0])],
        [(METADATA, [0]), ("t", [0])],
        [(METADATA, [])],
        [],
    ],
)
def test_there_is_no_other_partition(
    client: Client, asked: list[tuple[str, list[int]]], version: int
) -> None:
    response = client.send(request(*asked), version)
    assert (response.error_code, response.nodes) == (0, [])
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert [
        (topic.topic_name, [(p.partition_index, p.error_code) for p in topic.partitions])
        for topic in response.topics
    ] == [(name, [(index, unknown) for index in indexes]) for name, indexes in asked]


def test_the_offset_moves_with_the_metadata(client: Client) -> None:
    before = client.send(request((METADATA, [0]))).topics[0].partitions[0].high_watermark
    client.create("t")
    assert client.send(request((METADATA, [0]))).topics[0].partitions[0].high_watermark > before
