"""@confluentinc/kafka-javascript: librdkafka, as Node programs use it."""

from __future__ import annotations

import zlib

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import GroupView, Record
from compat_tests.node import node_command
from compat_tests.remote import RemoteClient
from compat_tests.remote_suite import RemoteSuite
from compat_tests.suite import NOTHING_AND_EMPTY, FreshName
from compat_tests.waiting import eventually


class ConfluentJs(RemoteClient):
    name = "@confluentinc/kafka-javascript"
    codecs = ("none", "gzip", "snappy", "lz4")  # zstd where the build has found its library
    sends_null_headers = False
    command = node_command("confluent_js")


def crc_partition(key: bytes, partitions: int) -> int:
    return zlib.crc32(key) % partitions


class TestConfluentJs(RemoteSuite):
    client_class = ConfluentJs
    partition_of = staticmethod(crc_partition)

    def test_null_and_empty_keys_values_and_headers(self, client: ConfluentJs, topic: str) -> None:
        """It sends empty keys and gives empty values as none; all else arrives as it was."""
        sent = NOTHING_AND_EMPTY
        client.produce(topic, sent)
        kept = [r._replace(key=r.key or None, value=r.value or None) for r in sent]
        assert client.consume(topic, len(sent)) == kept

    def test_a_topic_is_created_described_grown_and_deleted(
        self, client: ConfluentJs, fresh_name: FreshName
    ) -> None:
        """It has no call for configs."""
        topic = fresh_name("admin")
        client.create_topic(topic, 3, configs={"retention.ms": "123456789"})
        eventually(lambda: client.topics().get(topic) == 3, "three partitions")
        client.add_partitions(topic, 5)
        eventually(lambda: client.topics()[topic] == 5, "five partitions")
        client.produce(topic, [Record(b"x")], partition=4)
        client.delete_topic(topic)
        eventually(lambda: topic not in client.topics(), "the topic is gone")

    def test_a_config_is_altered_and_obeyed(self) -> None:
        pytest.skip("it has no call for configs")

    def test_records_are_deleted_up_to_an_offset(self, client: ConfluentJs, topic: str) -> None:
        client.produce(topic, [Record(b"%d" % number) for number in range(10)])
        client.ask("delete_records", topic=topic, before=7)
        assert client.watermarks(topic) == (7, 10)

    def test_a_cooperative_group_lives_through_the_same(
        self, client: ConfluentJs, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.tell_group_story(client, broker, fresh_name, "cooperative-sticky")

    def test_a_static_member_keeps_its_place_while_it_is_away(
        self, client: ConfluentJs, fresh_name: FreshName
    ) -> None:
        topic, group = fresh_name("topic"), fresh_name("group")
        client.create_topic(topic, 2)
        for _ in range(2):
            client.ask("reader_open", group=group, topic=topic, instance="seat")
            client.ask("reader_assigned", count=2)
            client.ask("reader_close")
            # Its goodbye is silent: the group still counts on it, and nothing was rebalanced.
            assert client.describe_group(group) == GroupView("Stable", 1, (0, 1))
