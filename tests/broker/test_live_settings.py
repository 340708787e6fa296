"""Each setting that may be changed live: it is shown, followed at once, and kept over a restart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from godel.config.broker import BrokerConfig
from godel.config.describe import Source
from godel.config.setting import Setting, ValueType
from godel.config.topic import TopicConfig
from godel.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from godel.testing import Broker
from tests.disks import DURABLE
from tests.wire import BROKER, Client, batch

LIVE = {name: each for name, each in BrokerConfig.SETTINGS.items() if each.dynamic}
FOR_ALL = [name for name, each in LIVE.items() if each.cluster_wide]
OF_TOPICS = {
    declared.broker_name: name
    for name, declared in TopicConfig.SETTINGS.items()
    if declared.broker_name in LIVE
}
"""Broker settings that topics without their own value follow."""

DESCRIPTIONS = {"max.connections.per.ip.overrides": "127.0.0.1:100"}
"""What no rule can make up."""


def another(declared: Setting) -> str:
    """A value that is allowed and not the default."""
    if declared.name in DESCRIPTIONS:
        return DESCRIPTIONS[declared.name]
    if declared.choices is not None:
        return next(each for each in declared.choices if each not in (declared.default_text or ""))
    match declared.type:
        case ValueType.BOOLEAN:
            return "false" if declared.default else "true"
        case ValueType.DOUBLE:
            return str((declared.minimum or 0.0) + 0.125)
        case _:
            low = int(declared.minimum or 1)
            return str(low + 1 if declared.default != low + 1 else low + 2)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(DURABLE) as broker:
        yield broker


def shown(client: Client, name: str) -> tuple[str | None, int]:
    """Value and source, as DescribeConfigs has them for broker 1."""
    resource = DescribeConfigsResource(BROKER, "1", [name])
    (result,) = client.send(DescribeConfigsRequest(resources=[resource])).results
    (entry,) = result.configs
    return entry.value, entry.config_source


def in_force(broker: Broker, name: str) -> str | None:
    return broker.run(lambda node: node.broker.config.text(name))


def test_everything_that_is_changed_live_is_shown_followed_and_kept() -> None:
    wanted = {name: another(declared) for name, declared in LIVE.items()}
    broker = Broker(DURABLE)
    with broker, Client(broker) as client:
        client.alter("", {name: wanted[name] for name in FOR_ALL}, resource_type=BROKER)
        client.alter(
            "1",
            {name: value for name, value in wanted.items() if name not in FOR_ALL},
            resource_type=BROKER,
        )
        for name, value in wanted.items():
            source = Source.DYNAMIC_DEFAULT if name in FOR_ALL else Source.DYNAMIC_BROKER
            assert shown(client, name) == (value, source)
            assert in_force(broker, name) == value
    with broker:
        for name, value in wanted.items():
            assert in_force(broker, name) == value


@pytest.mark.parametrize("name", FOR_ALL)
def test_a_change_is_taken_back_to_what_the_broker_was_started_with(
    broker: Broker, name: str
) -> None:
    with Client(broker) as client:
        before = in_force(broker, name)
        client.alter("1", {name: another(LIVE[name])}, resource_type=BROKER)
        assert in_force(broker, name) != before
        client.alter("1", {name: None}, resource_type=BROKER)
        assert in_force(broker, name) == before


@pytest.mark.parametrize("name", OF_TOPICS)
def test_a_topic_follows_the_broker_at_once(broker: Broker, name: str) -> None:
    def of_topic() -> str | None:
        return broker.run(lambda node: node.broker.partition("t", 0).config.text(OF_TOPICS[name]))

    with Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
        value = another(LIVE[name])
        assert of_topic() != value
        client.alter("", {name: value}, resource_type=BROKER)
        assert of_topic() == value


def test_the_log_of_slow_requests_follows_its_threshold(broker: Broker) -> None:
    with Client(broker) as client:
        slow = broker.node.broker.metrics.slow_requests.of("Metadata")
        client.describe()
        assert slow.value == 0
        client.alter("", {"slow.request.log.ms": 0}, resource_type=BROKER)
        client.describe()
        assert slow.value == 1
        client.alter("", {"slow.request.log.ms": -1}, resource_type=BROKER)
        client.describe()
        assert slow.value == 1
