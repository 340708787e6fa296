"""DescribeConfigs over the wire format."""

from __future__ import annotations

import pytest

from godel.config import BrokerConfig, TopicConfig
from godel.errors import ErrorCode
from godel.handlers.config_resources import BROKER, GROUP, TOPIC
from godel.handlers.describe_configs import handle
from godel.metadata.alterations import Alteration, alter_broker, alter_group
from godel.protocol.codec import decode, encode
from godel.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


def describe(
    broker: Controller,
    type: int,
    name: str,
    keys: list[str] | None = None,
    *,
    version: int = 4,
    synonyms: bool = True,
    documentation: bool = False,
) -> DescribeConfigsResult:
    request = DescribeConfigsRequest(
        resources=[DescribeConfigsResource(type, name, keys)],
        include_synonyms=synonyms,
        include_documentation=documentation,
    )
    response = handle(context(broker, version), request)
    return decode(DescribeConfigsResponse, encode(response, version), version).results[0]


@pytest.mark.parametrize("version", range(1, 5))
async def test_a_topic(version: int) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a", configs={"retention.ms": "5"})
        result = describe(broker, TOPIC, "a", version=version)
        assert (result.error_code, result.error_message) == (0, None)
        entries = {each.name: each for each in result.configs}
        assert entries.keys() == TopicConfig.SETTINGS.keys()
        retention = entries["retention.ms"]
        assert (retention.value, retention.config_source, retention.read_only) == ("5", 1, False)
        assert [(each.name, each.source) for each in retention.synonyms] == [("retention.ms", 1)]
        if version >= 3:
            assert retention.config_type == 5
            assert retention.documentation is None


async def test_keys_synonyms_and_documentation_are_for_the_asking() -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        result = describe(
            broker, TOPIC, "a", ["segment.bytes", "nope"], synonyms=False, documentation=True
        )
        (entry,) = result.configs
        assert (entry.name, entry.synonyms) == ("segment.bytes", [])
        assert entry.documentation
        everything = describe(broker, TOPIC, "a", [])
        assert len(everything.configs) == len(TopicConfig.SETTINGS)


async def test_a_broker_and_the_default_of_all() -> None:
    async with controller(settings={"log.retention.hours": "2"}) as broker:
        change = [Alteration("message.max.bytes", 0, "77")]
        await alter_broker(broker.metadata, None, change, validate_only=False)
        entries = {each.name: each for each in describe(broker, BROKER, "1").configs}
        assert entries.keys() == BrokerConfig.SETTINGS.keys()
        assert (entries["log.retention.hours"].value, entries["log.retention.hours"].read_only) == (
            "2",
            True,
        )
        assert entries["log.retention.hours"].config_source == 4
        assert [each.source for each in entries["message.max.bytes"].synonyms] == [3, 5]
        (default,) = describe(broker, BROKER, "").configs
        assert (default.name, default.value, default.config_source) == (
            "message.max.bytes",
            "77",
            3,
        )


async def test_a_group() -> None:
    async with controller() as broker:
        change = [Alteration("consumer.session.timeout.ms", 0, "50000")]
        await alter_group(broker.metadata, "g", change, validate_only=False)
        entries = {each.name: each for each in describe(broker, GROUP, "g").configs}
        assert entries["consumer.session.timeout.ms"].config_source == 8
        others = {each.name: each for each in describe(broker, GROUP, "other").configs}
        assert others["consumer.session.timeout.ms"].value == "45000"


@pytest.mark.parametrize(
    ("type", "name", "code"),
    [
        (TOPIC, "nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (TOPIC, "a b", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", ErrorCode.INVALID_REQUEST),
        (BROKER, "x", ErrorCode.INVALID_REQUEST),
        (GROUP, "", ErrorCode.INVALID_REQUEST),
        (8, "1", ErrorCode.INVALID_REQUEST),
        (16, "m", ErrorCode.INVALID_REQUEST),
        (99, "x", ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_cannot_be_described(type: int, name: str, code: ErrorCode) -> None:
    async with controller() as broker:
        result = describe(broker, type, name)
        assert (result.error_code, result.resource_type, result.resource_name) == (
            code,
            type,
            name,
        )
        assert result.error_message
        assert result.configs == []
