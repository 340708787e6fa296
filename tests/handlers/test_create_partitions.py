"""CreatePartitions over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.create_partitions import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


async def extend(
    broker: Controller,
    *topics: CreatePartitionsTopic,
    validate_only: bool = False,
    version: int = 3,
) -> list[CreatePartitionsTopicResult]:
    request = CreatePartitionsRequest(topics=list(topics), validate_only=validate_only)
    response = await handle(context(broker, version), request)
    return decode(CreatePartitionsResponse, encode(response, version), version).results


def topic(name: str, count: int, *assigned: list[int]) -> CreatePartitionsTopic:
    assignments = [CreatePartitionsAssignment(broker_ids=each) for each in assigned]
    return CreatePartitionsTopic(name=name, count=count, assignments=assignments or None)


def count(broker: Controller, name: str) -> int:
    return len(broker.metadata.image.topics[name].partitions)


@pytest.mark.parametrize("version", range(4))
async def test_each_topic_has_its_outcome(version: int) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        await broker.topics.create_topic("b")
        results = await extend(broker, topic("a", 3), topic("b", 1), topic("c", 2), version=version)
        assert [(each.name, each.error_code) for each in results] == [
            ("a", 0),
            ("b", ErrorCode.INVALID_PARTITIONS),
            ("c", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ]
        assert (count(broker, "a"), count(broker, "b")) == (3, 1)


async def test_a_name_twice_is_refused() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        (result,) = await extend(broker, topic("a", 2), topic("a", 3))
        assert (result.error_code, count(broker, "a")) == (ErrorCode.INVALID_REQUEST, 1)


async def test_assigned_and_only_validated() -> None:
    async with controller(brokers=2) as broker:
        await broker.topics.create_topic("a")
        (result,) = await extend(broker, topic("a", 2, [2]), validate_only=True)
        assert (result.error_code, count(broker, "a")) == (0, 1)
        (result,) = await extend(broker, topic("a", 2, [2]))
        assert broker.metadata.image.topics["a"].partitions[1].leader == 2
