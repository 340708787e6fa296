"""DescribeClientQuotas over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.describe_client_quotas import handle
from godel.metadata.client_quotas import EXACT, SPECIFIED, QuotaChange, alter_quotas
from godel.protocol.codec import decode, encode
from godel.protocol.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from godel.security.quotas import entity
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio


def describe(
    broker: Controller, *components: ComponentData, strict: bool = False, version: int = 1
) -> DescribeClientQuotasResponse:
    request = DescribeClientQuotasRequest(list(components), strict)
    response = handle(context(broker, version), request)
    return decode(DescribeClientQuotasResponse, encode(response, version), version)


@pytest.mark.parametrize("version", range(2))
async def test_quotas_are_told_with_their_entity(version: int) -> None:
    async with controller() as broker:
        whose = entity(user="u", client_id=None)
        change = [QuotaChange("producer_byte_rate", 5.0), QuotaChange("request_percentage", 0.5)]
        await alter_quotas(broker.metadata, whose, change, validate_only=False)
        any_user = ComponentData("user", SPECIFIED, None)
        response = describe(broker, any_user, version=version)
        assert (response.error_code, response.error_message) == (0, "")
        (entry,) = response.entries or []
        assert [(part.entity_type, part.entity_name) for part in entry.entity] == [
            ("client-id", None),
            ("user", "u"),
        ]
        assert [(each.key, each.value) for each in entry.values] == [
            ("producer_byte_rate", 5.0),
            ("request_percentage", 0.5),
        ]
        assert describe(broker, any_user, strict=True, version=version).entries == []


async def test_a_bad_filter_is_answered_without_entries() -> None:
    async with controller() as broker:
        response = describe(broker, ComponentData("foo", EXACT, "a"))
        assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
        assert response.error_message
        assert response.entries is None
