"""The shared scenarios (suite.py) for clients in programs of their own, and what those add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Code, Position, Record
from compat_tests.groups import Program, group_story, parse_json
from compat_tests.remote import RemoteClient
from compat_tests.suite import (
    ALL_CODECS,
    HOUR_MS,
    NOON_MS,
    NOTHING_AND_EMPTY,
    ClientSuite,
    FreshName,
)

MURMUR_FACTOR = 0x5BD1E995


def murmur2(key: bytes) -> int:
    """Unsigned; the seed is Kafka's."""

    def mixed(k: int) -> int:
        k = k * MURMUR_FACTOR & 0xFFFFFFFF
        return (k ^ k >> 24) * MURMUR_FACTOR & 0xFFFFFFFF

    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        h = h * MURMUR_FACTOR & 0xFFFFFFFF ^ mixed(int.from_bytes(key[at : at + 4], "little"))
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * MURMUR_FACTOR & 0xFFFFFFFF
    h = (h ^ h >> 13) * MURMUR_FACTOR & 0xFFFFFFFF
    return h ^ h >> 15


def murmur2_partition(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner puts a key; most clients promise the same."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class RemoteSuite(ClientSuite):
    client_class: ClassVar[type[RemoteClient]]
    keeps_header_order: ClassVar[bool] = True
    partition_of: ClassVar[Callable[[bytes, int], int]] = staticmethod(murmur2_partition)

    @pytest.fixture(scope="class", autouse=True)
    def _one_program(self) -> Iterator[None]:
        yield
        self.client_class.end()

    @pytest.mark.parametrize("codec", ALL_CODECS)
    def test_every_codec_keeps_every_record(
        self, client: RemoteClient, topic: str, codec: str
    ) -> None:
        if codec not in client.codecs:
            pytest.skip(f"{client.name} has no {codec} here")
        super().test_every_codec_keeps_every_record(client, topic, codec)

    def test_null_and_empty_keys_values_and_headers(self, client: RemoteClient, topic: str) -> None:
        records = list(NOTHING_AND_EMPTY)
        if client.sends_null_headers:
            records.append(Record(b"null header", b"k", (("null", None), ("full", b"x"))))
        if not self.keeps_header_order:  # it has them as a dictionary
            records = [
                record._replace(headers=tuple(sorted(record.headers, key=lambda pair: pair[0])))
                for record in records
            ]
        client.produce(topic, records)
        consumed = client.consume(topic, len(records))
        if not self.keeps_header_order:
            consumed = [
                record._replace(headers=tuple(sorted(record.headers, key=lambda pair: pair[0])))
                for record in consumed
            ]
        assert consumed == records

    def test_a_key_lands_where_the_partitioner_says(
        self, client: RemoteClient, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("partitioned")
        client.create_topic(topic, 7)
        keys = [b"key %d" % number for number in range(100)] + [b"k", b"ke", b"key", b"\xff\x00"]
        landed = client.produce(topic, [Record(b"x", key) for key in keys], partition=None)
        expected = [type(self).partition_of(key, 7) for key in keys]
        assert [position.partition for position in landed] == expected

    def test_an_offset_for_a_time_is_where_the_reader_goes(
        self, client: RemoteClient, topic: str, fresh_name: FreshName
    ) -> None:
        for hour in range(10):
            client.produce(topic, [Record(b"x", timestamp_ms=NOON_MS + hour * HOUR_MS)])
        with client.reader(fresh_name("group"), topic) as reader:
            assert reader.read(10) == [Position(0, offset) for offset in range(10)]
            reader.seek(0, "beginning")
            assert reader.read(10) == [Position(0, offset) for offset in range(10)]
            at = client.offset_for_time(topic, NOON_MS + 7 * HOUR_MS - 1)
            assert at == 7
            reader.seek(0, at)
            assert reader.read(3) == [Position(0, offset) for offset in (7, 8, 9)]
            reader.seek(0, 2)
            assert reader.read(8) == [Position(0, offset) for offset in range(2, 10)]
            reader.seek(0, "end")
            client.produce(topic, [Record(b"new")])
            assert reader.read(1) == [Position(0, 10)]

    def test_a_paused_partition_waits_while_the_other_is_read(
        self, client: RemoteClient, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("paused")
        client.create_topic(topic, 2)
        for partition in range(2):
            client.produce(topic, [Record(b"before")] * 3, partition=partition)
        with client.reader(fresh_name("group"), topic) as reader:
            assert {at.partition for at in reader.read(6)} == {0, 1}
            reader.pause(0)
            client.produce(topic, [Record(b"held back")] * 5, partition=0)
            client.produce(topic, [Record(b"free")] * 5, partition=1)
            assert reader.read(5) == [Position(1, offset) for offset in range(3, 8)]
            reader.resume(0)
            assert reader.read(5) == [Position(0, offset) for offset in range(3, 8)]

    def test_groups_are_listed_and_deleted(
        self, client: RemoteClient, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.commit(group, topic, 5, "")
        assert group in client.groups()
        assert client.describe_group(group).state == "Empty"
        client.delete_group(group)
        assert group not in client.groups()
        assert client.committed(group, topic) == [None]

    def test_a_message_for_a_topic_that_cannot_be(self, client: RemoteClient) -> None:
        with pytest.raises(BrokerError) as failure:
            client.produce("no/such topic", [Record(b"x")])
        assert failure.value.code == Code.INVALID_TOPIC

    def test_a_group_lives_through_join_leave_kill_and_restart(
        self, client: RemoteClient, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.tell_group_story(client, broker, fresh_name)

    def tell_group_story(
        self, client: RemoteClient, broker: Broker, fresh_name: FreshName, *options: str
    ) -> None:
        program = Program(lambda *names: [*client.command, "member", *names, *options], parse_json)
        group_story(client, broker, fresh_name, program, commits_are_told=True)
