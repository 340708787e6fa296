"""Changes of client quotas and filters over them, as a Kafka 4.3 broker answers."""

from __future__ import annotations

import pytest

from godel.errors import ApiError, ErrorCode
from godel.metadata import client_quotas, records
from godel.metadata.client_quotas import (
    DEFAULT,
    EXACT,
    SPECIFIED,
    Component,
    QuotaChange,
    alter_quotas,
    checked_entity,
    matching,
)
from godel.metadata.memory_store import MemoryStore
from godel.security.quotas import Entity, entity
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio

A = entity(client_id="a")
BOTH = entity(user="u", client_id="b")
BOTH_DEFAULT = entity(user=None, client_id="b")
ANY_USER = entity(user=None)
ANY_CLIENT = entity(client_id=None)


async def change(
    broker: Controller, whose: Entity, validate_only: bool = False, **values: float | None
) -> None:
    changes = [QuotaChange(key, value) for key, value in values.items()]
    await alter_quotas(broker.metadata, whose, changes, validate_only=validate_only)


async def test_quotas_are_set_changed_and_removed() -> None:
    async with controller() as broker:
        await change(broker, A, producer_byte_rate=5.0, request_percentage=0.5)
        await change(broker, A, producer_byte_rate=6.0, consumer_byte_rate=None)
        assert broker.metadata.image.client_quotas == {
            A: {"producer_byte_rate": 6.0, "request_percentage": 0.5}
        }
        await change(broker, A, validate_only=True, producer_byte_rate=7.0)
        await change(broker, A, producer_byte_rate=None, request_percentage=None, nonsense=None)
        assert broker.metadata.image.client_quotas == {}


async def test_they_are_there_after_a_restart_whatever_the_name() -> None:
    store = MemoryStore()
    strange = entity(user='é,/ "x"', client_id=None)
    async with controller(store) as broker:
        await change(broker, strange, producer_byte_rate=float(2**53), request_percentage=1e300)
    async with controller(store) as broker:
        assert broker.metadata.image.client_quotas == {
            strange: {"producer_byte_rate": float(2**53), "request_percentage": 1e300}
        }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("producer_byte_rate", 0.0),
        ("producer_byte_rate", -1.0),
        ("consumer_byte_rate", 1.5),
        ("consumer_byte_rate", float("inf")),
        ("producer_byte_rate", 9.3e18),
        ("request_percentage", 0.0),
        ("request_percentage", float("nan")),
        ("foo", 1.0),
        ("controller_mutation_rate", 1.0),
        ("connection_creation_rate", 1.0),
    ],
)
async def test_bad_values_and_what_nothing_enforces_are_refused(key: str, value: float) -> None:
    async with controller() as broker:
        with pytest.raises(ApiError) as error:
            await change(broker, A, **{key: value})
        assert error.value.code is ErrorCode.INVALID_REQUEST
        assert broker.metadata.image.client_quotas == {}


async def test_a_quota_that_is_named_twice_is_refused() -> None:
    twice = [QuotaChange("producer_byte_rate", 1.0), QuotaChange("producer_byte_rate", None)]
    async with controller() as broker:
        with pytest.raises(ApiError):
            await alter_quotas(broker.metadata, A, twice, validate_only=False)


async def test_the_number_of_entities_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_quotas, "MAX_ENTITIES", 1)
    async with controller() as broker:
        await change(broker, A, producer_byte_rate=5.0)
        await change(broker, A, producer_byte_rate=6.0)
        with pytest.raises(ApiError) as error:
            await change(broker, BOTH, producer_byte_rate=5.0)
        assert error.value.code is ErrorCode.POLICY_VIOLATION


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [("foo", "a")],
        [("client-id", "")],
        [("user", "a"), ("ip", "127.0.0.1")],
        [("ip", "127.0.0.1")],
        [("ip", None)],
    ],
)
def test_bad_entities_are_refused(parts: list[tuple[str, str | None]]) -> None:
    with pytest.raises(ApiError) as error:
        checked_entity(parts)
    assert error.value.code is ErrorCode.INVALID_REQUEST


def test_the_order_of_the_parts_is_no_difference() -> None:
    assert checked_entity([("user", "u"), ("client-id", "b")]) == BOTH


CLIENT = [Component("client-id", SPECIFIED, None)]
USER = [Component("user", SPECIFIED, None)]


@pytest.mark.parametrize(
    ("components", "found", "found_strictly"),
    [
        ([], {A, BOTH, BOTH_DEFAULT, ANY_USER, ANY_CLIENT}, set()),
        ([Component("client-id", EXACT, "a")], {A}, {A}),
        ([Component("client-id", DEFAULT, None)], {ANY_CLIENT}, {ANY_CLIENT}),
        (CLIENT, {A, BOTH, BOTH_DEFAULT, ANY_CLIENT}, {A, ANY_CLIENT}),
        ([Component("user", EXACT, "u")], {BOTH}, set()),
        ([Component("user", DEFAULT, None)], {BOTH_DEFAULT, ANY_USER}, {ANY_USER}),
        (USER, {BOTH, BOTH_DEFAULT, ANY_USER}, {ANY_USER}),
        (USER + CLIENT, {BOTH, BOTH_DEFAULT}, {BOTH, BOTH_DEFAULT}),
        ([Component("ip", SPECIFIED, None)], set(), set()),
        ([Component("client-id", EXACT, "")], set(), set()),
    ],
)
async def test_filters(
    components: list[Component], found: set[Entity], found_strictly: set[Entity]
) -> None:
    async with controller() as broker:
        for whose in (A, BOTH, BOTH_DEFAULT, ANY_USER, ANY_CLIENT):
            await change(broker, whose, producer_byte_rate=5.0)
        image = broker.metadata.image
        assert {whose for whose, _ in matching(image, components, strict=False)} == found
        assert {whose for whose, _ in matching(image, components, strict=True)} == found_strictly


@pytest.mark.parametrize(
    ("components", "code"),
    [
        ([Component("foo", EXACT, "a")], ErrorCode.UNSUPPORTED_VERSION),
        ([Component("", EXACT, "a")], ErrorCode.INVALID_REQUEST),
        ([Component("client-id", EXACT, None)], ErrorCode.INVALID_REQUEST),
        ([Component("client-id", DEFAULT, "x")], ErrorCode.INVALID_REQUEST),
        ([Component("client-id", SPECIFIED, "x")], ErrorCode.INVALID_REQUEST),
        ([Component("client-id", 3, None)], ErrorCode.INVALID_REQUEST),
        (CLIENT + CLIENT, ErrorCode.INVALID_REQUEST),
        ([*CLIENT, Component("ip", SPECIFIED, None)], ErrorCode.INVALID_REQUEST),
    ],
)
async def test_bad_filters_are_refused(components: list[Component], code: ErrorCode) -> None:
    async with controller() as broker:
        with pytest.raises(ApiError) as error:
            matching(broker.metadata.image, components, strict=False)
        assert error.value.code is code


@pytest.mark.parametrize("key", [b"client-quotas/x", b"client-quotas/[1]", b"client-quotas/7"])
def test_a_key_that_is_no_entity_is_corrupt(key: bytes) -> None:
    with pytest.raises(records.CorruptRecord):
        records.entity_in(key)


def test_a_quota_that_is_no_number_is_corrupt() -> None:
    with pytest.raises(records.CorruptRecord):
        records.decode_client_quotas(b"client-quotas/[]", b'{"producer_byte_rate": "x"}')
