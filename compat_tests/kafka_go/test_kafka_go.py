"""segmentio/kafka-go: the shared scenarios through main.go."""

from __future__ import annotations

from compat_tests.brokers import Broker
from compat_tests.client import Client, Record
from compat_tests.groups import group_story
from compat_tests.programs import LibrarysChoice
from compat_tests.requirements import need_module
from compat_tests.suite import NOTHING_AND_EMPTY, ClientSuite, FreshName

need_module("kafka")  # sees what kafka-go's reader does not

from compat_tests.kafka_python.client import KafkaPython


class KafkaGo(LibrarysChoice):
    name = "kafka-go"
    language = "go"
    folder = "kafka_go"
    creates_topics = False
    lacks = {
        "idempotence": "no idempotent producer",
        "error for a bad topic": "its transport says unknown, from its own table of topics",
        "pause": "a reader is closed, not paused",
        "deletion of records": "no call for it",
        "cooperative groups": "only eager assignors",
        "static members": "no instance ids",
    }

    def seen(self, record: Record) -> Record:
        """Its reader makes no difference between nothing and null."""
        headers = tuple((name, value or None) for name, value in record.headers)
        return Record(record.value or None, record.key or None, headers)


class TestKafkaGo(ClientSuite):
    client_class = KafkaGo
    # A group's reader commits in its new generation what it was given in the one before: at most
    # one record for each member and rebalance.
    in_hand = 15

    def test_nothing_and_null_are_sent_as_they_are(self, client: Client, topic: str) -> None:
        records = [*NOTHING_AND_EMPTY, Record(b"null header", b"k", (("null", None),))]
        client.produce(topic, records)
        assert KafkaPython(client.bootstrap).consume(topic, len(records)) == records

    def test_a_group_by_generations_lives_through_the_same(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        group_story(
            client, broker, fresh_name, client.member_command("generation"), commits_are_told=True
        )
