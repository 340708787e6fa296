"""segmentio/kafka-go: the shared scenarios through main.go."""

from __future__ import annotations

from compat_tests.brokers import Broker
from compat_tests.client import Client, Record
from compat_tests.program_suite import ProgramSuite
from compat_tests.programs import ProgramClient
from compat_tests.requirements import need_module
from compat_tests.suite import NOTHING_AND_EMPTY, FreshName

need_module("kafka")  # sees what kafka-go's reader does not

from compat_tests.kafka_python.client import KafkaPython


class KafkaGo(ProgramClient):
    name = "kafka-go"
    language = "go"
    folder = "kafka_go"
    lacks = frozenset(
        {"idempotence", "pause", "deletion of records", "cooperative groups", "static members"}
    )


def as_its_reader_sees(record: Record) -> Record:
    """It makes no difference between nothing and null."""
    headers = tuple((name, value or None) for name, value in record.headers)
    return Record(record.value or None, record.key or None, headers)


class TestKafkaGo(ProgramSuite):
    client_class = KafkaGo
    # A group's reader commits in its new generation what it was given in the one before: at most
    # one record for each member and rebalance.
    in_hand = 15

    def test_null_and_empty_keys_values_and_headers(self, client: Client, topic: str) -> None:
        records = [*NOTHING_AND_EMPTY, Record(b"null header", b"k", (("null", None),))]
        client.produce(topic, records)
        assert KafkaPython(client.bootstrap).consume(topic, len(records)) == records
        read = client.consume(topic, len(records))
        assert read == [as_its_reader_sees(record) for record in records]

    def test_a_group_by_generations_lives_through_the_same(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.tell(client, broker, fresh_name, "generation", in_hand=0)
