"""rskafka: what of the shared scenarios a library without groups and settings can do."""

from __future__ import annotations

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Client, Code, Record
from compat_tests.program_suite import ProgramSuite
from compat_tests.programs import ProgramClient
from compat_tests.suite import NOTHING_AND_EMPTY, FreshName
from compat_tests.waiting import eventually


class Rskafka(ProgramClient):
    name = "rskafka"
    language = "rust"
    folder = "rskafka"
    sends_null_headers = False
    lacks = frozenset({"groups", "idempotence", "pause", "cooperative groups", "static members"})


class TestRskafka(ProgramSuite):
    client_class = Rskafka
    creates_topics = True

    # No partitioner, no settings of topics, no commits.
    test_keys_choose_partitions_and_no_record_is_lost = None
    test_keys_go_where_the_clients_own_partitioner_says = None
    test_a_config_is_altered_and_obeyed = None
    test_commits_keep_their_metadata = None

    def test_null_and_empty_keys_values_and_headers(self, client: Client, topic: str) -> None:
        # Its headers are a map in the order of their names.
        records = [
            record._replace(headers=tuple(sorted(dict(record.headers).items())))
            for record in NOTHING_AND_EMPTY
        ]
        client.produce(topic, records)
        assert client.consume(topic, len(records)) == records

    def test_a_topic_is_created_described_grown_and_deleted(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("admin")
        client.create_topic(topic, 3)
        eventually(lambda: client.topics().get(topic) == 3, "three partitions")
        client.produce(topic, [Record(b"x")], partition=2)
        client.delete_topic(topic)
        eventually(lambda: topic not in client.topics(), "the topic is gone")

    def test_topics_that_cannot_be(self, client: Client, topic: str, fresh_name: FreshName) -> None:
        with pytest.raises(BrokerError) as failure:
            client.create_topic(topic)
        assert failure.value.code == Code.TOPIC_ALREADY_EXISTS
        with pytest.raises(BrokerError) as failure:
            client.create_topic(fresh_name("replicas"), replication_factor=7)
        assert failure.value.code == Code.INVALID_REPLICATION_FACTOR

    def test_everything_is_there_after_a_restart(
        self,
        client: Client,
        broker: Broker,
        topic: str,
        fresh_name: FreshName,  # noqa: ARG002  # the scenarios' signature
    ) -> None:
        records = [Record(b"%d" % i, b"k", (("h", b"%d" % i),)) for i in range(1000)]
        client.produce(topic, records, codec="lz4")
        broker.restart()
        assert client.consume(topic, 600, at=400) == records[400:]
        assert client.produce(topic, [Record(b"next")])[0].offset == 1000
