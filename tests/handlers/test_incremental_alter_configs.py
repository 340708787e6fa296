"""IncrementalAlterConfigs over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.incremental_alter_configs import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio

TOPIC, BROKER, GROUP = 2, 4, 32


async def alter(
    broker: Controller,
    *resources: AlterConfigsResource,
    validate_only: bool = False,
    version: int = 1,
) -> list[int]:
    request = IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate_only)
    response = await handle(context(broker, version), request)
    results = decode(IncrementalAlterConfigsResponse, encode(response, version), version).responses
    for result in results:
        assert bool(result.error_message) == bool(result.error_code)
    return [result.error_code for result in results]


def resource(type: int, name: str, *configs: tuple[str, int, str | None]) -> AlterConfigsResource:
    return AlterConfigsResource(type, name, [AlterableConfig(*each) for each in configs])


@pytest.mark.parametrize("version", range(2))
async def test_changes_take_effect_at_once(version: int) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        codes = await alter(
            broker,
            resource(TOPIC, "a", ("retention.ms", 0, "5"), ("cleanup.policy", 2, "compact")),
            resource(BROKER, "1", ("message.max.bytes", 0, "70")),
            resource(BROKER, "", ("message.max.bytes", 0, "60"), ("write.caching", 0, "true")),
            resource(GROUP, "g", ("consumer.session.timeout.ms", 0, "50000")),
            version=version,
        )
        assert codes == [0, 0, 0, 0]
        config = broker.metadata.image.topics["a"].config
        assert (config.retention_ms, config.cleanup_policy) == (5, ("delete", "compact"))
        assert (config.max_message_bytes, config.write_caching) == (70, True)
        assert broker.config.message_max_bytes == 70


async def test_validating_changes_nothing() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        before = broker.metadata.image
        codes = await alter(
            broker,
            resource(TOPIC, "a", ("retention.ms", 0, "5")),
            resource(TOPIC, "b", ("retention.ms", 0, "5")),
            resource(BROKER, "", ("message.max.bytes", 0, "x")),
            validate_only=True,
        )
        assert codes == [
            0,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode.INVALID_REQUEST,
        ]
        assert broker.metadata.image is before


async def test_a_resource_twice_is_refused_both_times() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        one = resource(TOPIC, "a", ("retention.ms", 0, "5"))
        assert await alter(broker, one, one) == [ErrorCode.INVALID_REQUEST] * 2
        assert broker.metadata.image.topics["a"].overrides == {}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (resource(TOPIC, "a", ("retention.ms", 0, "x")), ErrorCode.INVALID_CONFIG),
        (resource(TOPIC, "a", ("retention.ms", 2, "1")), ErrorCode.INVALID_CONFIG),
        (resource(TOPIC, "a", ("retention.ms", 0, None)), ErrorCode.INVALID_REQUEST),
        (resource(TOPIC, "a", ("retention.ms", 7, "1")), ErrorCode.INVALID_REQUEST),
        (resource(BROKER, "2", ("message.max.bytes", 0, "7")), ErrorCode.INVALID_REQUEST),
        (resource(BROKER, "1", ("node.id", 0, "7")), ErrorCode.INVALID_REQUEST),
        (resource(8, "1", ("root", 0, "INFO")), ErrorCode.INVALID_REQUEST),
        (resource(99, "x"), ErrorCode.INVALID_REQUEST),
        (resource(TOPIC, "a"), ErrorCode.NONE),
    ],
)
async def test_answers(asked: AlterConfigsResource, code: ErrorCode) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        assert await alter(broker, asked) == [code]
