"""ListConfigResources over the wire."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.list_config_resources import ListConfigResourcesRequest
from tests.wire import BROKER, TOPIC, Client

LOGGER, METRICS, GROUP = 8, 16, 32


def names(client: Client, *kinds: int) -> list[tuple[int, str]]:
    response = client.send(ListConfigResourcesRequest(list(kinds)), 1)
    assert response.error_code == 0
    return sorted((each.resource_type, each.resource_name) for each in response.config_resources)


def test_kinds(client: Client) -> None:
    client.create("t")
    client.create("u")
    client.alter("g", {"consumer.session.timeout.ms": 50_000}, resource_type=GROUP)
    (broker,) = client.describe().brokers
    brokers = [(BROKER, str(broker.node_id))]
    topics = [(TOPIC, "t"), (TOPIC, "u")]
    assert names(client) == topics + brokers + [(GROUP, "g")]
    assert names(client, TOPIC, TOPIC) == topics
    assert names(client, BROKER, TOPIC) == topics + brokers
    assert names(client, GROUP) == [(GROUP, "g")]
    assert names(client, LOGGER, METRICS) == []
    client.alter("g", {"consumer.session.timeout.ms": None}, resource_type=GROUP)
    assert names(client, GROUP) == []


@pytest.mark.parametrize("kind", [-1, 0, 1, 3, 99])
def test_unknown_kinds(client: Client, kind: int) -> None:
    response = client.send(ListConfigResourcesRequest([TOPIC, kind]), 1)
    assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert response.config_resources == []


def test_version_0_asks_for_client_metrics(client: Client) -> None:
    client.create("t")
    response = client.send(ListConfigResourcesRequest(), 0)
    assert (response.error_code, response.config_resources) == (0, [])
