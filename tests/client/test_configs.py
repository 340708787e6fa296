"""Settings as the client reads and changes them."""

from __future__ import annotations

import pytest

from godel.client.cluster import Cluster
from godel.client.configs import Kind, Operation, Resource, alter_configs, describe_configs
from godel.client.outcomes import NotFound
from godel.errors import ApiError
from tests.wire import Client

pytestmark = pytest.mark.anyio

TOPIC = Resource(Kind.TOPIC, "flights")


async def test_a_setting_has_a_source_and_what_stands_behind_it(
    cluster: Cluster, outside: Client
) -> None:
    outside.create("flights", configs={"retention.ms": "5"})
    (config,) = await describe_configs(cluster, TOPIC, ["retention.ms"])
    assert (config.value, config.source, config.is_own, config.type) == ("5", "topic", True, "long")
    assert config.synonyms[0] == ("retention.ms", "5", "topic")
    assert config.documentation


async def test_settings_are_set_and_taken_back(cluster: Cluster, outside: Client) -> None:
    outside.create("flights")
    await alter_configs(cluster, TOPIC, {"retention.ms": (Operation.SET, "7")}, dry_run=True)
    (before,) = await describe_configs(cluster, TOPIC, ["retention.ms"])
    assert not before.is_own
    await alter_configs(cluster, TOPIC, {"retention.ms": (Operation.SET, "7")})
    (changed,) = await describe_configs(cluster, TOPIC, ["retention.ms"])
    assert changed.value == "7"
    await alter_configs(cluster, TOPIC, {"retention.ms": (Operation.DELETE, None)})
    (after,) = await describe_configs(cluster, TOPIC, ["retention.ms"])
    assert not after.is_own


async def test_a_broker_is_asked_itself(cluster: Cluster) -> None:
    broker = Resource(Kind.BROKER, "1")
    await alter_configs(cluster, broker, {"log.retention.ms": (Operation.SET, "9")})
    (config,) = await describe_configs(cluster, broker, ["log.retention.ms"])
    assert (config.value, config.source) == ("9", "broker, live")


async def test_refusals(cluster: Cluster) -> None:
    with pytest.raises(NotFound):
        await describe_configs(cluster, TOPIC)
    for broker in ("1", ""):
        whose = Resource(Kind.BROKER, broker)
        with pytest.raises(NotFound, match=r"no setting log\.retention") as unknown:
            await alter_configs(cluster, whose, {"log.retention": (Operation.SET, "1")})
        assert "log.retention.ms" in unknown.value.known
        with pytest.raises(ApiError):
            await alter_configs(cluster, whose, {"log.retention.ms": (Operation.SET, "soon")})


def test_resources_are_named() -> None:
    assert str(TOPIC) == "topic flights"
    assert str(Resource(Kind.BROKER, "")) == "all brokers"
