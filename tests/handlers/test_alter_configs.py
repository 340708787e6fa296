"""AlterConfigs over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.alter_configs import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio

TOPIC, BROKER, GROUP = 2, 4, 32


async def alter(
    broker: Controller,
    *resources: AlterConfigsResource,
    validate_only: bool = False,
    version: int = 2,
) -> list[int]:
    request = AlterConfigsRequest(list(resources), validate_only)
    response = await handle(context(broker, version), request)
    results = decode(AlterConfigsResponse, encode(response, version), version).responses
    assert [(each.resource_type, each.resource_name) for each in results] == [
        (each.resource_type, each.resource_name) for each in resources
    ]
    for result in results:
        assert bool(result.error_message) == bool(result.error_code)
    return [result.error_code for result in results]


def resource(kind: int, name: str, **configs: str | None) -> AlterConfigsResource:
    pairs = [AlterableConfig(key.replace("_", "."), value) for key, value in configs.items()]
    return AlterConfigsResource(kind, name, pairs)


@pytest.mark.parametrize("version", range(3))
async def test_everything_that_was_set_is_replaced(version: int) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a", configs={"retention.ms": "5", "segment.ms": "6"})
        for _ in range(2):
            codes = await alter(
                broker,
                resource(TOPIC, "a", retention_ms="7"),
                resource(BROKER, "1", message_max_bytes="70"),
                resource(BROKER, "", message_max_bytes="60", log_retention_ms="9"),
                resource(GROUP, "g", consumer_session_timeout_ms="50000"),
                version=version,
            )
            assert codes == [0, 0, 0, 0]
            image = broker.metadata.image
            assert image.topics["a"].overrides == {"retention.ms": "7"}
            assert image.broker_overrides[1] == {"message.max.bytes": "70"}
            assert image.group_overrides["g"] == {"consumer.session.timeout.ms": "50000"}
        names = [(TOPIC, "a"), (BROKER, "1"), (BROKER, ""), (GROUP, "g")]
        nothing = [resource(kind, name) for kind, name in names]
        assert await alter(broker, *nothing, version=version) == [0, 0, 0, 0]
        image = broker.metadata.image
        assert image.topics["a"].overrides == {}
        assert not any(image.broker_overrides.values())
        assert not any(image.group_overrides.values())


async def test_validating_changes_nothing() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a", configs={"segment.ms": "6"})
        before = broker.metadata.image
        codes = await alter(
            broker,
            resource(TOPIC, "a", retention_ms="5"),
            resource(TOPIC, "b", retention_ms="5"),
            resource(BROKER, "", message_max_bytes="x"),
            validate_only=True,
        )
        assert codes == [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_REQUEST]
        assert broker.metadata.image is before


async def test_a_resource_twice_is_refused_both_times() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        one = resource(TOPIC, "a", retention_ms="5")
        assert await alter(broker, one, one) == [ErrorCode.INVALID_REQUEST] * 2
        assert broker.metadata.image.topics["a"].overrides == {}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (resource(TOPIC, "a", retention_ms="x"), ErrorCode.INVALID_CONFIG),
        (resource(TOPIC, "a", no_such="1"), ErrorCode.INVALID_CONFIG),
        (resource(TOPIC, "a", retention_ms=None), ErrorCode.INVALID_REQUEST),
        (resource(TOPIC, "", retention_ms="1"), ErrorCode.INVALID_REQUEST),
        (resource(TOPIC, "a b"), ErrorCode.INVALID_TOPIC_EXCEPTION),
        (resource(BROKER, "2", message_max_bytes="7"), ErrorCode.INVALID_REQUEST),
        (resource(BROKER, "1", node_id="7"), ErrorCode.INVALID_REQUEST),
        (resource(GROUP, ""), ErrorCode.INVALID_REQUEST),
        (resource(8, "1", root="INFO"), ErrorCode.INVALID_REQUEST),
        (resource(99, "x"), ErrorCode.INVALID_REQUEST),
    ],
)
async def test_refusals_leave_what_there_was(asked: AlterConfigsResource, code: ErrorCode) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a", configs={"segment.ms": "6"})
        assert await alter(broker, asked) == [code]
        assert broker.metadata.image.topics["a"].overrides == {"segment.ms": "6"}


async def test_a_setting_twice_is_refused() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        twice = [AlterableConfig("retention.ms", "1"), AlterableConfig("retention.ms", "2")]
        asked = AlterConfigsResource(TOPIC, "a", twice)
        assert await alter(broker, asked) == [ErrorCode.INVALID_REQUEST]
