"""Which resource is meant, and what is set for it."""

from __future__ import annotations

from typing import cast

import pytest

from godel.broker.broker import Broker
from godel.errors import ApiError, ErrorCode
from godel.handlers.config_resources import (
    BROKER,
    CLIENT_METRICS,
    GROUP,
    TOPIC,
    alter,
    broker_id,
    broker_levels,
)
from godel.metadata.alterations import Alteration, Operation
from tests.metadata.composition import controller

pytestmark = pytest.mark.anyio


async def test_this_broker_or_all() -> None:
    async with controller(brokers=2) as given:
        broker = cast("Broker", given)
        assert broker_id(broker, "1") == 1
        assert broker_id(broker, "") is None
        for elsewhere in ("2", "01", "x"):
            with pytest.raises(ApiError, match="This is broker 1") as refusal:
                broker_id(broker, elsewhere)
            assert refusal.value.code is ErrorCode.INVALID_REQUEST


async def test_each_kind_is_altered() -> None:
    async with controller(settings={"num.partitions": "3"}) as given:
        broker = cast("Broker", given)
        await given.topics.create_topic("t")
        for kind, name, setting in (
            (TOPIC, "t", "retention.ms"),
            (BROKER, "1", "message.max.bytes"),
            (BROKER, "", "write.caching"),
            (GROUP, "g", "consumer.session.timeout.ms"),
        ):
            value = "true" if setting == "write.caching" else "50000"
            wanted = [Alteration(setting, Operation.SET, value)]
            await alter(broker, kind, name, wanted, validate_only=False)
        image = given.metadata.image
        assert image.topics["t"].overrides == {"retention.ms": "50000"}
        assert image.group_overrides["g"] == {"consumer.session.timeout.ms": "50000"}
        levels = broker_levels(broker)
        assert levels.static == {"num.partitions": "3"}
        assert levels.cluster == {"write.caching": "true"}
        assert levels.broker == {"message.max.bytes": "50000"}
        assert levels.now.write_caching


@pytest.mark.parametrize("kind", [0, CLIENT_METRICS, 99])
async def test_what_has_no_settings(kind: int) -> None:
    async with controller() as given:
        with pytest.raises(ApiError, match=f"resource type {kind}"):
            await alter(cast("Broker", given), kind, "x", [], validate_only=False)
