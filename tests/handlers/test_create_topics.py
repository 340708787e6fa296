"""CreateTopics over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.create_topics import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from godel.types import ZERO_ID
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


async def create(
    broker: Controller, *topics: CreatableTopic, validate_only: bool = False, version: int = 7
) -> list[CreatableTopicResult]:
    """Ask, and let the answer go over the wire."""
    request = CreateTopicsRequest(topics=list(topics), timeout_ms=0, validate_only=validate_only)
    response = await handle(context(broker, version), request)
    return decode(CreateTopicsResponse, encode(response, version), version).topics


def topic(name: str, partitions: int = -1, **more: object) -> CreatableTopic:
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=-1, **more)  # type: ignore[arg-type]  # test only


async def test_the_answer_tells_what_was_made() -> None:
    async with controller() as broker:
        configs = [CreatableTopicConfig(name="retention.ms", value="5")]
        (made,) = await create(broker, topic("a", 3, configs=configs))
        assert (made.error_code, made.error_message) == (0, None)
        assert (made.num_partitions, made.replication_factor) == (3, 1)
        assert made.topic_id == broker.metadata.image.topics["a"].id
        shown = {each.name: (each.value, each.config_source) for each in made.configs or []}
        assert shown["retention.ms"] == ("5", 1)
        assert shown["segment.bytes"] == ("1073741824", 5)


@pytest.mark.parametrize("version", range(2, 8))
async def test_every_version(version: int) -> None:
    async with controller() as broker:
        made, failed = await create(broker, topic("a"), topic("b", 0), version=version)
        assert (made.error_code, failed.error_code) == (0, ErrorCode.INVALID_PARTITIONS)
        assert failed.error_message
        if version >= 5:
            assert (failed.num_partitions, failed.configs) == (-1, [])


async def test_a_name_twice_is_answered_once_and_not_made() -> None:
    async with controller() as broker:
        results = await create(broker, topic("a"), topic("b"), topic("a", 2))
        assert [(each.name, each.error_code) for each in results] == [
            ("a", ErrorCode.INVALID_REQUEST),
            ("b", 0),
        ]
        assert list(broker.metadata.image.topics) == ["b"]


async def test_assignments() -> None:
    async with controller(brokers=2) as broker:
        assigned = [
            CreatableReplicaAssignment(partition_index=0, broker_ids=[2, 1]),
            CreatableReplicaAssignment(partition_index=1, broker_ids=[1, 2]),
        ]
        twice = [assigned[0], assigned[0]]
        made, failed = await create(
            broker, topic("a", assignments=assigned), topic("b", assignments=twice)
        )
        assert (made.num_partitions, made.replication_factor) == (2, 2)
        assert failed.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT


async def test_validate_only() -> None:
    async with controller() as broker:
        good, bad = await create(broker, topic("a", 4), topic("a b"), validate_only=True)
        assert (good.error_code, good.num_partitions) == (0, 4)
        assert (bad.error_code, bad.topic_id) == (ErrorCode.INVALID_TOPIC_EXCEPTION, ZERO_ID)
        assert not broker.metadata.image.topics


async def test_no_topics_no_answers() -> None:
    async with controller() as broker:
        assert await create(broker) == []
