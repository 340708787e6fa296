"""The scenarios that every Python client runs, written once over client.Client."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import ClassVar

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Client, Code, Record
from compat_tests.groups import group_story, member_program, when_coordinator_is_up
from compat_tests.waiting import eventually

FreshName = Callable[[str], str]

ALL_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
HOUR_MS = 3_600_000
NOON_MS = 1_700_000_000_000

NOTHING_AND_EMPTY = [
    Record(b"value", b"key"),
    Record(b"value without key", None),
    Record(b"value with empty key", b""),
    Record(None, b"key without value"),
    Record(b"", b"key with empty value"),
    Record(b"", b""),
    Record(b"headers", b"k", (("one", b"1"), ("two", b"2"), ("one", b"again"))),
    Record(b"header values", b"k", (("empty", b""), ("bytes", bytes(range(256))))),
    Record("Grüße, 世界".encode(), b"\x00\xff", (("ключ", "значение".encode()),)),
]


def ten_mebibytes() -> list[Record]:
    filler = random.Random(10).randbytes(1000)
    return [Record(b"%08d" % i + filler + b"%016d" % i, b"%d" % i) for i in range(10 * 1024)]


class ClientSuite:
    """Subclass it with `client_class`; the module then holds what only this client can do."""

    client_class: ClassVar[type[Client]]

    @pytest.fixture
    def client(self, bootstrap: str) -> Client:
        return self.client_class(bootstrap)

    @pytest.fixture
    def topic(self, client: Client, fresh_name: FreshName) -> str:
        name = fresh_name("topic")
        client.create_topic(name)
        return name

    # -- records ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("codec", ALL_CODECS)
    def test_every_codec_keeps_every_record(self, client: Client, topic: str, codec: str) -> None:
        assert codec in client.codecs, f"install what {client.name} needs for {codec}"
        records = [Record(b"%06d " % i * 20, b"%d" % i) for i in range(500)]
        positions = client.produce(topic, records, codec=codec)
        assert [position.offset for position in positions] == list(range(500))
        assert client.consume(topic, 500) == records

    def test_null_and_empty_keys_values_and_headers(self, client: Client, topic: str) -> None:
        records = list(NOTHING_AND_EMPTY)
        if client.sends_null_headers:
            records.append(Record(b"null header", b"k", (("null", None), ("full", b"x"))))
        client.produce(topic, records)
        assert client.consume(topic, len(records)) == records

    def test_ten_mebibytes_arrive_in_order(self, client: Client, topic: str) -> None:
        records = ten_mebibytes()
        client.produce(topic, records)
        assert client.consume(topic, len(records)) == records

    def test_read_from_the_middle(self, client: Client, topic: str) -> None:
        records = [Record(b"%d" % i) for i in range(1000)]
        client.produce(topic, records, codec="gzip")
        assert client.consume(topic, 10, at=637) == records[637:647]

    def test_keys_choose_partitions_and_no_record_is_lost(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("keyed")
        client.create_topic(topic, 4)
        records = [Record(b"%d" % i, b"key %d" % (i % 50)) for i in range(400)]
        positions = client.produce(topic, records, partition=None)
        for number in range(4):
            mine = [r for r, p in zip(records, positions, strict=True) if p.partition == number]
            assert client.watermarks(topic, number) == (0, len(mine))
            assert client.consume(topic, len(mine), partition=number) == mine

    def test_idempotent_producer(self, client: Client, topic: str) -> None:
        records = [Record(b"%d" % i * 50) for i in range(5000)]
        positions = client.produce(topic, records, idempotent=True)
        assert [position.offset for position in positions] == list(range(5000))
        assert client.consume(topic, 5000) == records

    # -- offsets ----------------------------------------------------------------------------------

    def test_offsets_by_timestamp(self, client: Client, topic: str) -> None:
        times = [NOON_MS, NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS]
        for time_ms in times:
            client.produce(topic, [Record(b"x", timestamp_ms=time_ms)] * 3)
        assert client.offset_for_time(topic, 0) == 0
        assert client.offset_for_time(topic, times[1]) == 3
        assert client.offset_for_time(topic, times[1] + 1) == 6
        assert client.offset_for_time(topic, times[2] + 1) is None
        assert client.watermarks(topic) == (0, 9)

    def test_an_offset_beyond_the_end_is_out_of_range(self, client: Client, topic: str) -> None:
        client.produce(topic, [Record(b"x")])
        with pytest.raises(BrokerError) as failure:
            client.consume(topic, 1, at=1000)
        assert failure.value.code == Code.OFFSET_OUT_OF_RANGE

    def test_commits_keep_their_metadata(
        self, client: Client, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        assert client.committed(group, topic) == [None]
        client.commit(group, topic, 17, "page 4, line 2")
        assert client.committed(group, topic) == [(17, "page 4, line 2")]
        client.commit(group, topic, 18, "")
        assert client.committed(group, topic) == [(18, "")]

    # -- administration ---------------------------------------------------------------------------

    def test_a_topic_is_created_described_grown_and_deleted(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("admin")
        client.create_topic(topic, 3, configs={"retention.ms": "123456789"})
        eventually(lambda: client.topics().get(topic) == 3, "three partitions")
        configs = client.configs(topic)
        assert configs["retention.ms"] == "123456789"
        assert configs["cleanup.policy"] == "delete"
        client.add_partitions(topic, 5)
        eventually(lambda: client.topics()[topic] == 5, "five partitions")
        client.produce(topic, [Record(b"x")], partition=4)
        client.delete_topic(topic)
        eventually(lambda: topic not in client.topics(), "the topic is gone")

    def test_a_config_is_altered_and_obeyed(self, client: Client, topic: str) -> None:
        client.alter_config(topic, "max.message.bytes", "2000")
        eventually(
            lambda: client.configs(topic)["max.message.bytes"] == "2000", "the altered config"
        )
        client.produce(topic, [Record(bytes(1000))])
        with pytest.raises(BrokerError) as failure:
            client.produce(topic, [Record(bytes(3000))])
        assert failure.value.code == Code.MESSAGE_TOO_LARGE

    # -- errors -----------------------------------------------------------------------------------

    def test_a_message_that_is_too_large(self, client: Client, topic: str) -> None:
        with pytest.raises(BrokerError) as failure:
            client.produce(topic, [Record(bytes(2 << 20))])
        assert failure.value.code == Code.MESSAGE_TOO_LARGE
        assert client.watermarks(topic) == (0, 0)

    def test_an_unknown_topic(self, client: Client, fresh_name: FreshName) -> None:
        with pytest.raises(BrokerError) as failure:
            client.delete_topic(fresh_name("unknown"))
        assert failure.value.code == Code.UNKNOWN_TOPIC_OR_PARTITION

    @pytest.mark.parametrize("name", ["with space", "sla/sh", "x" * 250, ".."])
    def test_a_bad_topic_name(self, client: Client, name: str) -> None:
        with pytest.raises(BrokerError) as failure:
            client.create_topic(name)
        assert failure.value.code == Code.INVALID_TOPIC

    def test_topics_that_cannot_be(self, client: Client, topic: str, fresh_name: FreshName) -> None:
        with pytest.raises(BrokerError) as failure:
            client.create_topic(topic)
        assert failure.value.code == Code.TOPIC_ALREADY_EXISTS
        with pytest.raises(BrokerError) as failure:
            client.create_topic(fresh_name("replicas"), replication_factor=7)
        assert failure.value.code == Code.INVALID_REPLICATION_FACTOR
        with pytest.raises(BrokerError) as failure:
            client.create_topic(fresh_name("config"), configs={"no.such.config": "1"})
        assert failure.value.code == Code.INVALID_CONFIG

    # -- groups and restarts ----------------------------------------------------------------------

    def test_a_group_lives_through_join_leave_kill_and_restart(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        program = member_program(self.client_class.__module__)
        group_story(client, broker, fresh_name, program, commits_are_told=True)

    def test_everything_is_there_after_a_restart(
        self, client: Client, broker: Broker, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        records = [Record(b"%d" % i, b"k", (("h", b"%d" % i),)) for i in range(1000)]
        client.produce(topic, records, codec="lz4")
        client.commit(group, topic, 400, "before the restart")
        broker.restart()
        committed = when_coordinator_is_up(lambda: client.committed(group, topic))
        assert committed == [(400, "before the restart")]
        assert client.consume(topic, 600, at=400) == records[400:]
        assert client.produce(topic, [Record(b"next")])[0].offset == 1000
