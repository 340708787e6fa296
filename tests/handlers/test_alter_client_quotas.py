"""AlterClientQuotas over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.alter_client_quotas import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    EntryData,
    OpData,
)
from godel.security.quotas import entity
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


def entry(*parts: tuple[str, str | None], **values: float) -> EntryData:
    ops = [OpData(key, value) for key, value in values.items()]
    return EntryData([EntityData(*part) for part in parts], ops)


async def alter(
    broker: Controller, *entries: EntryData, validate_only: bool = False, version: int = 1
) -> dict[tuple[tuple[str, str | None], ...], int]:
    request = AlterClientQuotasRequest(list(entries), validate_only)
    response = await handle(context(broker, version), request)
    answered = decode(AlterClientQuotasResponse, encode(response, version), version).entries
    for each in answered:
        assert bool(each.error_message) == bool(each.error_code)
    return {
        tuple((part.entity_type, part.entity_name) for part in each.entity): each.error_code
        for each in answered
    }


@pytest.mark.parametrize("version", range(2))
async def test_each_entity_has_its_own_outcome(version: int) -> None:
    async with controller() as broker:
        answered = await alter(
            broker,
            entry(("user", "u"), ("client-id", None), producer_byte_rate=5.0),
            entry(("client-id", "b"), consumer_byte_rate=-1.0),
            entry(("ip", "127.0.0.1"), connection_creation_rate=1.0),
            entry(),
            version=version,
        )
        assert answered == {
            (("user", "u"), ("client-id", None)): 0,
            (("client-id", "b"),): ErrorCode.INVALID_REQUEST,
            (("ip", "127.0.0.1"),): ErrorCode.INVALID_REQUEST,
            (): ErrorCode.INVALID_REQUEST,
        }
        assert broker.metadata.image.client_quotas == {
            entity(user="u", client_id=None): {"producer_byte_rate": 5.0}
        }


async def test_validating_changes_nothing() -> None:
    async with controller() as broker:
        asked = entry(("client-id", "a"), producer_byte_rate=5.0)
        assert await alter(broker, asked, validate_only=True) == {(("client-id", "a"),): 0}
        assert broker.metadata.image.client_quotas == {}


async def test_an_entity_that_is_named_twice_is_answered_once_and_not_changed() -> None:
    async with controller() as broker:
        answered = await alter(
            broker,
            entry(("client-id", "a"), ("user", "u"), producer_byte_rate=5.0),
            entry(("user", "u"), ("client-id", "a"), producer_byte_rate=6.0),
        )
        assert list(answered.values()) == [ErrorCode.INVALID_REQUEST]
        assert broker.metadata.image.client_quotas == {}


async def test_a_removal_needs_no_quota() -> None:
    async with controller() as broker:
        removal = EntryData([EntityData("client-id", "a")], [OpData("foo", 1.0, True)])
        assert await alter(broker, removal) == {(("client-id", "a"),): 0}
