"""AlterPartitionReassignments: a partition is where it is."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.alter_partition_reassignments import handle
from godel.metadata.topics import NewTopic
from godel.protocol.codec import decode, encode
from godel.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


def move(
    broker: Controller, topic: str, index: int, replicas: list[int] | None, *, version: int = 1
) -> int:
    wanted = ReassignableTopic(topic, [ReassignablePartition(index, replicas)])
    request = AlterPartitionReassignmentsRequest(topics=[wanted])
    request.allow_replication_factor_change = version < 1
    made = handle(context(broker, version), request)
    response = decode(AlterPartitionReassignmentsResponse, encode(made, version), version)
    assert (response.error_code, response.error_message) == (0, None)
    assert response.allow_replication_factor_change == (version < 1)
    (answered,) = response.responses
    assert answered.name == topic
    (partition,) = answered.partitions
    assert partition.partition_index == index
    return partition.error_code


@pytest.mark.parametrize("version", range(2))
async def test_where_it_is_is_fine(version: int) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a", partitions=2)
        assert move(broker, "a", 1, [1], version=version) == 0


@pytest.mark.parametrize(
    ("topic", "index", "replicas", "code"),
    [
        ("a", 0, [], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 0, [3], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 0, [-1], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 0, [1, 1], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 0, [1, 2], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("a", 0, None, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS),
        ("a", 2, [1], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("a", -1, None, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("b", 0, [1], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("b", 0, None, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
async def test_refusals(
    topic: str, index: int, replicas: list[int] | None, code: ErrorCode
) -> None:
    async with controller(brokers=2) as broker:
        await broker.topics.create([NewTopic("a", -1, -1, {0: (1,), 1: (1,)}, {})], timeout_ms=1)
        before = broker.metadata.image
        assert move(broker, topic, index, replicas) == code
        assert broker.metadata.image is before
