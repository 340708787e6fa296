"""The scenarios that every client runs, written once over client.Client.

What a library cannot do is skipped by name, with the reason that its adapter gives (`lacks`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Client, Code, GroupView, Position, Record
from compat_tests.groups import Member, group_story, when_coordinator_is_up
from compat_tests.waiting import eventually

FreshName = Callable[[str], str]

ALL_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
HOUR_MS = 3_600_000
NOON_MS = 1_700_000_000_000  # of a day in 2023: such records are old, and want retention.ms=-1

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


def lately() -> list[int]:
    """Three times, an hour apart: too new for a broker to delete what it gets with them."""
    now_ms = int(time.time() * 1000)
    return [now_ms - hours * HOUR_MS for hours in (3, 2, 1)]


def read(count: int) -> dict[str, object]:
    return {"do": "read", "count": count}


def produce(count: int, partition: int) -> dict[str, object]:
    return {"do": "produce", "count": count, "partition": partition}


class ClientSuite:
    """Subclass it with `client_class`; the module then holds what only this client can do.

    `commits_are_told`: its members say what they have committed. `in_hand`: see group_story.
    """

    client_class: ClassVar[type[Client]]
    commits_are_told: ClassVar[bool] = True
    in_hand: ClassVar[int] = 0

    def need(self, ability: str) -> None:
        if reason := self.client_class.lacks.get(ability):
            pytest.skip(f"{self.client_class.name}: {reason}")

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
        self.need(codec)
        records = [Record(b"%06d " % i * 20, b"%d" % i) for i in range(500)]
        positions = client.produce(topic, records, codec=codec)
        assert [position.offset for position in positions] == list(range(500))
        assert client.consume(topic, 500) == records

    def test_null_and_empty_keys_values_and_headers(self, client: Client, topic: str) -> None:
        records = list(NOTHING_AND_EMPTY)
        if client.sends_null_headers:
            records.append(Record(b"null header", b"k", (("null", None), ("full", b"x"))))
        client.produce(topic, records)
        consumed = client.consume(topic, len(records))
        assert [client.seen(r) for r in consumed] == [client.seen(r) for r in records]

    def test_ten_mebibytes_arrive_in_order(self, client: Client, topic: str) -> None:
        records = ten_mebibytes()
        client.produce(topic, records)
        assert client.consume(topic, len(records)) == records

    def test_read_from_the_middle(self, client: Client, topic: str) -> None:
        records = [Record(b"%d" % i) for i in range(1000)]
        client.produce(topic, records, codec="gzip")
        assert client.consume(topic, 10, at=637) == records[637:647]

    def test_keys_go_where_the_clients_own_partitioner_says(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        self.need("partitioner")
        topic = fresh_name("partitioned")
        client.create_topic(topic, 7)
        keys = [b"key %d" % number for number in range(60)] + [b"k", b"ke", b"key", b"\xff\x00"]
        landed = client.produce(topic, [Record(b"x", key) for key in keys], partition=None)
        assert [position.partition for position in landed] == client.partitions_of(keys, 7)

    def test_keys_choose_partitions_and_no_record_is_lost(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        self.need("partitioner")
        topic = fresh_name("keyed")
        client.create_topic(topic, 4)
        records = [Record(b"%d" % i, b"key %d" % (i % 50)) for i in range(400)]
        positions = client.produce(topic, records, partition=None)
        for number in range(4):
            mine = [r for r, p in zip(records, positions, strict=True) if p.partition == number]
            assert client.watermarks(topic, number) == (0, len(mine))
            assert client.consume(topic, len(mine), partition=number) == mine

    def test_idempotent_producer(self, client: Client, topic: str) -> None:
        self.need("idempotence")
        records = [Record(b"%d" % i * 50) for i in range(5000)]
        positions = client.produce(topic, records, idempotent=True)
        assert [position.offset for position in positions] == list(range(5000))
        assert client.consume(topic, 5000) == records

    # -- where a consumer reads -------------------------------------------------------------------

    def test_seek_to_beginning_end_offset_and_timestamp(self, client: Client, topic: str) -> None:
        times = lately()
        for time_ms in times:
            client.produce(topic, [Record(b"x", timestamp_ms=time_ms)] * 10)
        reads = client.journey(
            topic,
            1,
            [
                read(30),
                {"do": "seek", "to": 17},
                read(13),
                {"do": "seek_beginning"},
                read(30),
                {"do": "seek_time", "to": times[1]},
                read(20),
                {"do": "seek_end"},
                produce(3, 0),
                read(3),
            ],
        )
        assert [[position.offset for position in part] for part in reads] == [
            list(range(30)),
            list(range(17, 30)),
            list(range(30)),
            list(range(10, 30)),
            list(range(30, 33)),
        ]

    def test_a_paused_partition_waits_and_goes_on_where_it_was(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        self.need("pause")
        topic = fresh_name("paused")
        client.create_topic(topic, 2)
        # Two more reads after the pause: a fetch that was under way then has its answer by now.
        reads = client.journey(
            topic,
            2,
            [
                *(produce(5, 0), produce(5, 1), read(10)),
                {"do": "pause", "partition": 0},
                *(produce(1, 1), read(1), produce(1, 1), read(1)),
                *(produce(5, 0), produce(5, 1), read(5)),
                {"do": "resume", "partition": 0},
                *(read(5), produce(1, 0), produce(1, 1), read(2)),
            ],
        )
        first, *others, went_on, last = reads
        assert sorted(first) == [Position(p, o) for p in range(2) for o in range(5)]
        meanwhile = [position for part in others for position in part]
        assert meanwhile == [Position(1, offset) for offset in range(5, 12)]
        assert went_on == [Position(0, offset) for offset in range(5, 10)]
        assert sorted(last) == [Position(0, 10), Position(1, 12)]

    def test_deleted_records_are_gone(self, client: Client, topic: str) -> None:
        self.need("deletion of records")
        client.produce(topic, [Record(b"%d" % number) for number in range(20)])
        client.delete_records(topic, 12)
        assert client.watermarks(topic) == (12, 20)
        assert client.consume(topic, 1, at=12) == [Record(b"12")]
        with pytest.raises(BrokerError) as failure:
            client.consume(topic, 1, at=3)
        assert failure.value.code == Code.OFFSET_OUT_OF_RANGE
        with pytest.raises(BrokerError) as failure:
            client.delete_records(topic, 21)
        assert failure.value.code == Code.OFFSET_OUT_OF_RANGE

    # -- offsets ----------------------------------------------------------------------------------

    def test_offsets_by_timestamp(self, client: Client, topic: str) -> None:
        times = lately()
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
        self.need("groups")
        self.need("metadata of commits")
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
        client.create_topic(topic, 3)
        eventually(lambda: client.topics().get(topic) == 3, "three partitions")
        if "more partitions" not in client.lacks:
            client.add_partitions(topic, 5)
            eventually(lambda: client.topics()[topic] == 5, "five partitions")
            client.produce(topic, [Record(b"x")], partition=4)
        client.delete_topic(topic)
        eventually(lambda: topic not in client.topics(), "the topic is gone")

    def test_configs_of_a_new_topic_are_shown(self, client: Client, fresh_name: FreshName) -> None:
        self.need("configs")
        topic = fresh_name("configured")
        client.create_topic(topic, configs={"retention.ms": "123456789"})
        eventually(lambda: topic in client.topics(), "the topic")
        configs = client.configs(topic)
        assert configs["retention.ms"] == "123456789"
        assert configs["cleanup.policy"] == "delete"

    def test_a_config_is_altered_and_obeyed(self, client: Client, topic: str) -> None:
        self.need("configs")
        self.need("altering configs")
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

    def test_producing_to_an_unknown_topic(self, client: Client, fresh_name: FreshName) -> None:
        topic = fresh_name("unknown")
        if client.creates_topics:  # Kafka may still say no while it creates it

            def produced() -> list[Position] | None:
                try:
                    return client.produce(topic, [Record(b"x")])
                except BrokerError as error:
                    if error.code != Code.UNKNOWN_TOPIC_OR_PARTITION:
                        raise
                    return None

            assert eventually(produced, "a topic made on demand") == [Position(0, 0)]
            return
        with pytest.raises(BrokerError) as failure:
            client.produce(topic, [Record(b"x")])
        assert failure.value.code == Code.UNKNOWN_TOPIC_OR_PARTITION

    def test_producing_to_a_topic_that_cannot_be(self, client: Client) -> None:
        self.need("error for a bad topic")
        with pytest.raises(BrokerError) as failure:
            client.produce("no/such topic", [Record(b"x")])
        assert failure.value.code == Code.INVALID_TOPIC

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
        if "configs of new topics" in client.lacks:
            return
        with pytest.raises(BrokerError) as failure:
            client.create_topic(fresh_name("config"), configs={"no.such.config": "1"})
        assert failure.value.code == Code.INVALID_CONFIG

    # -- groups -----------------------------------------------------------------------------------

    def test_groups_are_listed_and_deleted(
        self, client: Client, topic: str, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.need("deletion of groups")
        group = fresh_name("group")
        client.commit(group, topic, 5, "")
        assert group in client.list_groups()
        assert client.describe_group(group).state in ("Empty", "EMPTY")
        client.delete_group(group)
        assert group not in client.list_groups()
        assert client.committed(group, topic) == [None]

    @contextmanager
    def member_alone(self, client: Client, group: str, topic: str) -> Iterator[Member]:
        member = Member(client.member_command(client.assignors[0])(client.bootstrap, group, topic))
        try:
            alone = GroupView("Stable", 1, (0,))
            eventually(lambda: client.describe_group(group) == alone, "a stable group")
            yield member
            assert client.describe_group(group) == alone
        finally:
            member.leave()

    def test_a_live_group_is_not_deleted(
        self, client: Client, topic: str, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.need("deletion of groups")
        group = fresh_name("group")
        with self.member_alone(client, group, topic):
            with pytest.raises(BrokerError) as failure:
                client.delete_group(group)
            assert failure.value.code == Code.NON_EMPTY_GROUP

    def test_a_commit_of_another_generation_is_refused(
        self, client: Client, topic: str, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.need("generations")
        group = fresh_name("group")
        with self.member_alone(client, group, topic):
            for generation in (0, 1000):
                with pytest.raises(BrokerError) as failure:
                    client.commit_stale(group, topic, generation)
                assert failure.value.code == Code.ILLEGAL_GENERATION

    def test_a_group_lives_through_join_leave_kill_and_restart(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.tell(client, broker, fresh_name, client.assignors[0])

    def test_a_cooperative_group_lives_through_the_same(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.need("cooperative groups")
        self.tell(client, broker, fresh_name, client.assignors[1])

    def tell(self, client: Client, broker: Broker, fresh_name: FreshName, assignor: str) -> None:
        group_story(
            client,
            broker,
            fresh_name,
            client.member_command(assignor),
            commits_are_told=self.commits_are_told,
            in_hand=self.in_hand,
        )

    def test_a_static_member_keeps_its_place_while_it_is_away(
        self, client: Client, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.need("static members")
        topic, group = fresh_name("topic"), fresh_name("group")
        client.create_topic(topic, 2)
        command = client.member_command(client.assignors[0], "seat")
        complete = GroupView("Stable", 1, (0, 1))
        for number in range(2):
            client.produce(topic, [Record(b"x")])
            member = Member(command(client.bootstrap, group, topic))
            told = member.committed if self.commits_are_told else member.read
            # A goodbye is silent, where the library has such a one.
            goodbye = member.kill if "silent goodbye" in client.lacks else member.leave
            try:
                eventually(lambda: client.describe_group(group) == complete, "both partitions")
                expected = {Position(0, number)}
                eventually(lambda t=told, e=expected: e <= set(t), "what is new")
            finally:
                goodbye()
            assert set(member.read) == expected
            # The group still counts on it, and nothing was rebalanced.
            assert client.describe_group(group) == complete

    # -- restarts ---------------------------------------------------------------------------------

    def test_everything_is_there_after_a_restart(
        self, client: Client, broker: Broker, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        metadata = "" if "metadata of commits" in client.lacks else "before the restart"
        records = [Record(b"%d" % i, b"k", (("h", b"%d" % i),)) for i in range(1000)]
        client.produce(topic, records, codec="lz4")
        if "groups" not in client.lacks:
            client.commit(group, topic, 400, metadata)
        broker.restart()
        if "groups" not in client.lacks:
            committed = when_coordinator_is_up(lambda: client.committed(group, topic))
            assert committed == [(400, metadata)]
        assert client.consume(topic, 600, at=400) == records[400:]
        assert client.produce(topic, [Record(b"next")])[0].offset == 1000
