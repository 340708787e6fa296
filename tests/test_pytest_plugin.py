"""The installed plugin, from a test's view: a broker that answers, fresh for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

if TYPE_CHECKING:
    from godel.testing import Broker


def topics_after_creating_one(broker: Broker) -> list[str]:
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        client.create_topics([NewTopic("departures", num_partitions=1, replication_factor=1)])
        return list(client.list_topics())
    finally:
        client.close()


def test_the_fixture_is_a_running_broker(godel_broker: Broker) -> None:
    assert topics_after_creating_one(godel_broker) == ["departures"]


def test_each_test_has_a_broker_of_its_own(godel_broker: Broker) -> None:
    """The topic of the test before is not there: creating it again is no error."""
    assert topics_after_creating_one(godel_broker) == ["departures"]
