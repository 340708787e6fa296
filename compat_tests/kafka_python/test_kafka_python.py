"""kafka-python: the shared scenarios, and what its own interface shows of the broker."""

from __future__ import annotations

from contextlib import closing

from compat_tests.requirements import need_module
from compat_tests.suite import ClientSuite, FreshName

need_module("kafka")
for codec_package in ("snappy", "lz4", "zstandard"):
    need_module(codec_package)

from kafka import KafkaConsumer, KafkaProducer

from compat_tests.kafka_python.client import KafkaPython


class TestKafkaPython(ClientSuite):
    client_class = KafkaPython

    def test_the_first_lines_of_the_readme(self, bootstrap: str, fresh_name: FreshName) -> None:
        """No settings at all: the topic appears with the first record."""
        topic = fresh_name("auto")
        with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
            landed = producer.send(topic, b"hello").get(timeout=30)
        assert landed.offset == 0
        consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        with closing(consumer):
            assert next(consumer).value == b"hello"

    def test_acks_zero_and_one(self, bootstrap: str, fresh_name: FreshName) -> None:
        topic = fresh_name("acks")
        client = KafkaPython(bootstrap)
        client.create_topic(topic)
        for acks in (0, 1):
            settings = {"bootstrap_servers": bootstrap, "acks": acks, "enable_idempotence": False}
            with closing(KafkaProducer(**settings)) as producer:
                for number in range(100):
                    producer.send(topic, b"%d" % number)
                producer.flush(30)
        assert [r.value for r in client.consume(topic, 200)] == [b"%d" % i for i in range(100)] * 2
