"""Settings changed at run time."""

from __future__ import annotations

import pytest

from godel.config import TopicConfig
from godel.errors import ApiError, ErrorCode
from godel.metadata.alterations import (
    Alteration,
    Operation,
    alter_broker,
    alter_group,
    alter_topic,
    altered,
)
from godel.metadata.memory_store import MemoryStore
from godel.metadata.store import StoreUnavailable
from tests.metadata.composition import controller

pytestmark = pytest.mark.anyio

SET, DELETE, APPEND, SUBTRACT = Operation


def after(overrides: dict[str, str], *alterations: Alteration) -> dict[str, str]:
    return altered(overrides, alterations, TopicConfig.SETTINGS, TopicConfig().text)


@pytest.mark.parametrize(
    ("before", "alteration", "expected"),
    [
        ({}, Alteration("retention.ms", SET, " 5 "), {"retention.ms": "5"}),
        ({"retention.ms": "5"}, Alteration("retention.ms", DELETE, None), {}),
        ({}, Alteration("retention.ms", DELETE, "x"), {}),
        ({}, Alteration("nope", DELETE, None), {}),
        ({}, Alteration("cleanup.policy", APPEND, "compact"), {"cleanup.policy": "delete,compact"}),
        (
            {"cleanup.policy": "compact"},
            Alteration("cleanup.policy", APPEND, "compact,delete,delete"),
            {"cleanup.policy": "compact,delete"},
        ),
        (
            {"cleanup.policy": "compact,delete"},
            Alteration("cleanup.policy", SUBTRACT, "delete,zzz"),
            {"cleanup.policy": "compact"},
        ),
        ({}, Alteration("cleanup.policy", SUBTRACT, "delete"), {"cleanup.policy": ""}),
    ],
)
def test_operations(
    before: dict[str, str], alteration: Alteration, expected: dict[str, str]
) -> None:
    kept = dict(before)
    assert after(before, alteration) == expected
    assert before == kept


@pytest.mark.parametrize(
    ("alterations", "code"),
    [
        ([Alteration("retention.ms", SET, None)], ErrorCode.INVALID_REQUEST),
        ([Alteration("retention.ms", 9, "1")], ErrorCode.INVALID_REQUEST),
        ([Alteration("a", DELETE, None), Alteration("a", SET, "")], ErrorCode.INVALID_REQUEST),
        ([Alteration("retention.ms", APPEND, "1")], ErrorCode.INVALID_CONFIG),
        ([Alteration("nope", SUBTRACT, "1")], ErrorCode.INVALID_CONFIG),
    ],
)
def test_refused_operations(alterations: list[Alteration], code: ErrorCode) -> None:
    with pytest.raises(ApiError) as error:
        after({}, *alterations)
    assert error.value.code is code


async def test_a_topic_changes_live_and_keeps_its_id() -> None:
    async with controller() as broker:
        made = await broker.topics.create_topic("a", partitions=2)
        change = [Alteration("retention.ms", SET, "5")]
        await alter_topic(broker.metadata, "a", change, validate_only=True)
        assert broker.metadata.image.topics["a"].overrides == {}
        await alter_topic(broker.metadata, "a", change, validate_only=False)
        topic = broker.metadata.image.topics["a"]
        assert (topic.config.retention_ms, topic.id, len(topic.partitions)) == (5, made.id, 2)
        revision = broker.metadata.image.revision
        await alter_topic(broker.metadata, "a", change, validate_only=False)
        assert broker.metadata.image.revision == revision, "nothing new is not written"


@pytest.mark.parametrize(
    ("topic", "alteration", "code"),
    [
        ("", Alteration("retention.ms", SET, "5"), ErrorCode.INVALID_REQUEST),
        ("a b", Alteration("retention.ms", SET, "5"), ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("nope", Alteration("retention.ms", SET, "5"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("a", Alteration("nope", SET, "5"), ErrorCode.INVALID_CONFIG),
        ("a", Alteration("retention.ms", SET, "x"), ErrorCode.INVALID_CONFIG),
        ("a", Alteration("cleanup.policy", APPEND, "zzz"), ErrorCode.INVALID_CONFIG),
    ],
)
async def test_a_topic_that_cannot_be_changed(
    topic: str, alteration: Alteration, code: ErrorCode
) -> None:
    async with controller() as broker:
        await broker.topics.create_topic("a")
        for validate_only in (True, False):
            with pytest.raises(ApiError) as error:
                await alter_topic(broker.metadata, topic, [alteration], validate_only=validate_only)
            assert error.value.code is code
            assert error.value.message


async def test_brokers_change_live_their_own_over_the_default() -> None:
    async with controller() as broker:
        metadata = broker.metadata
        for whose, value in ((None, "7"), (1, "8")):
            change = [Alteration("log.retention.ms", SET, value)]
            await alter_broker(metadata, whose, change, validate_only=True)
            await alter_broker(metadata, whose, change, validate_only=False)
            assert broker.config.log_retention_ms == int(value)
        for whose, value in ((1, 7), (None, None)):
            gone = [Alteration("log.retention.ms", DELETE, None)]
            await alter_broker(metadata, whose, gone, validate_only=False)
            assert broker.config.log_retention_ms == value
        assert metadata.image.broker_overrides == {}


@pytest.mark.parametrize(
    ("alteration", "code"),
    [
        (Alteration("node.id", SET, "5"), ErrorCode.INVALID_REQUEST),
        (Alteration("nope", SET, "5"), ErrorCode.INVALID_REQUEST),
        (Alteration("log.retention.ms", SET, "x"), ErrorCode.INVALID_REQUEST),
        (Alteration("log.segment.bytes", SET, "1"), ErrorCode.INVALID_REQUEST),
        (Alteration("log.retention.ms", APPEND, "1"), ErrorCode.INVALID_CONFIG),
    ],
)
async def test_a_broker_that_cannot_be_changed(alteration: Alteration, code: ErrorCode) -> None:
    async with controller() as broker:
        with pytest.raises(ApiError) as error:
            await alter_broker(broker.metadata, None, [alteration], validate_only=False)
        assert error.value.code is code


async def test_deleting_what_cannot_be_set_is_a_success() -> None:
    async with controller() as broker:
        change = [Alteration("num.partitions", DELETE, None)]
        await alter_broker(broker.metadata, None, change, validate_only=False)


async def test_groups_keep_their_settings() -> None:
    async with controller() as broker:
        change = [Alteration("consumer.session.timeout.ms", SET, "50000")]
        await alter_group(broker.metadata, "g", change, validate_only=False)
        assert broker.metadata.image.group_overrides["g"] == {
            "consumer.session.timeout.ms": "50000"
        }
        for group, name, value, code in (
            ("", "consumer.session.timeout.ms", "50000", ErrorCode.INVALID_REQUEST),
            ("g", "nope", "1", ErrorCode.INVALID_CONFIG),
            ("g", "consumer.session.timeout.ms", "1", ErrorCode.INVALID_CONFIG),
        ):
            with pytest.raises(ApiError) as error:
                await alter_group(
                    broker.metadata, group, [Alteration(name, SET, value)], validate_only=False
                )
            assert error.value.code is code


async def test_a_store_that_fails_is_an_answer() -> None:
    async def refuse(_step: str) -> None:
        raise StoreUnavailable("disk full")

    store = MemoryStore()
    async with controller(store) as broker:
        await broker.topics.create_topic("a")
        store.interfere = refuse
        change = [Alteration("retention.ms", SET, "5")]
        with pytest.raises(ApiError, match="disk full"):
            await alter_topic(broker.metadata, "a", change, validate_only=False)
        with pytest.raises(ApiError, match="disk full"):
            await alter_group(
                broker.metadata,
                "g",
                [Alteration("consumer.session.timeout.ms", SET, "50000")],
                validate_only=False,
            )
        store.interfere = None


async def test_what_is_each_brokers_own_is_not_set_for_all_at_once() -> None:
    name = "sasl.kerberos.min.time.before.relogin"
    async with controller() as broker:
        change = [Alteration(name, SET, "58000")]
        with pytest.raises(ApiError) as error:
            await alter_broker(broker.metadata, None, change, validate_only=False)
        assert error.value.code is ErrorCode.INVALID_REQUEST
        await alter_broker(broker.metadata, 1, change, validate_only=False)
        assert broker.metadata.image.broker_overrides[1] == {name: "58000"}
