"""The scenarios of the clients that are programs: the shared ones, and what only these can do."""

from __future__ import annotations

from typing import ClassVar

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Client, Code, GroupView, Position, Record
from compat_tests.groups import Member, group_story
from compat_tests.programs import ProgramClient
from compat_tests.suite import HOUR_MS, NOON_MS, ClientSuite, FreshName
from compat_tests.waiting import eventually


def read(count: int) -> dict[str, object]:
    return {"do": "read", "count": count}


def produce(count: int, partition: int) -> dict[str, object]:
    return {"do": "produce", "count": count, "partition": partition}


class ProgramSuite(ClientSuite):
    client_class: ClassVar[type[ProgramClient]]
    assignors: ClassVar[tuple[str, ...]] = ("range",)
    commits_are_told: ClassVar[bool] = True
    in_hand: ClassVar[int] = 0
    creates_topics: ClassVar[bool] = False

    def need(self, ability: str) -> None:
        if ability in self.client_class.lacks:
            pytest.skip(f"{self.client_class.name} has no {ability}")

    # -- records ----------------------------------------------------------------------------------

    def test_idempotent_producer(self, client: Client, topic: str) -> None:
        self.need("idempotence")
        super().test_idempotent_producer(client, topic)

    def test_keys_go_where_the_clients_own_partitioner_says(
        self, client: ProgramClient, fresh_name: FreshName
    ) -> None:
        topic, keys = fresh_name("keyed"), [b"key %d" % number for number in range(60)]
        client.create_topic(topic, 7)
        positions = client.produce(topic, [Record(b"x", key) for key in keys], partition=None)
        assert [position.partition for position in positions] == client.partitions_of(keys, 7)
        assert len({position.partition for position in positions}) > 4

    # -- where a consumer reads -------------------------------------------------------------------

    def test_seek_to_beginning_end_offset_and_timestamp(
        self, client: ProgramClient, topic: str
    ) -> None:
        for hour in range(3):
            late = [Record(b"x", timestamp_ms=NOON_MS + hour * HOUR_MS)] * 10
            client.produce(topic, late)
        reads = client.journey(
            topic,
            1,
            [
                read(30),
                {"do": "seek", "to": 17},
                read(13),
                {"do": "seek_beginning"},
                read(5),
                {"do": "seek_time", "to": NOON_MS + HOUR_MS},
                read(5),
                {"do": "seek_end"},
                produce(3, 0),
                read(3),
            ],
        )
        assert [[position.offset for position in part] for part in reads] == [
            list(range(30)),
            list(range(17, 30)),
            list(range(5)),
            list(range(10, 15)),
            list(range(30, 33)),
        ]

    def test_a_paused_partition_waits_and_goes_on_where_it_was(
        self, client: ProgramClient, fresh_name: FreshName
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

    def test_deleted_records_are_gone(self, client: ProgramClient, topic: str) -> None:
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

    # -- errors -----------------------------------------------------------------------------------

    def test_producing_to_an_unknown_topic(
        self, client: ProgramClient, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("unknown")
        if self.creates_topics:  # Kafka may still say no while it creates it

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

    # -- groups -----------------------------------------------------------------------------------

    def test_groups_are_listed_and_deleted(
        self, client: ProgramClient, topic: str, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        group = fresh_name("group")
        client.commit(group, topic, 5, "")
        assert group in client.list_groups()
        client.delete_group(group)
        assert group not in client.list_groups()
        assert client.committed(group, topic) == [None]

    def test_a_live_group_is_not_deleted_and_takes_no_commit_of_another_generation(
        self, client: ProgramClient, bootstrap: str, topic: str, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        group = fresh_name("group")
        program = client.member_program(self.assignors[0])
        member = Member(program.command(bootstrap, group, topic), program.parse)
        try:
            alone = GroupView("Stable", 1, (0,))
            eventually(lambda: client.describe_group(group) == alone, "a stable group")
            with pytest.raises(BrokerError) as failure:
                client.delete_group(group)
            assert failure.value.code == Code.NON_EMPTY_GROUP
            if "commits as another" in client.lacks:
                return
            for generation in (0, 1000):
                with pytest.raises(BrokerError) as failure:
                    client.commit_stale(group, topic, generation)
                assert failure.value.code == Code.ILLEGAL_GENERATION
            assert client.describe_group(group) == alone
        finally:
            member.leave()

    def test_a_group_lives_through_join_leave_kill_and_restart(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.need("groups")
        self.tell(client, broker, fresh_name, self.assignors[0])

    def test_a_cooperative_group_lives_through_the_same(
        self, client: Client, broker: Broker, fresh_name: FreshName
    ) -> None:
        self.need("cooperative groups")
        self.tell(client, broker, fresh_name, self.assignors[1])

    def tell(
        self,
        client: Client,
        broker: Broker,
        fresh_name: FreshName,
        assignor: str,
        *,
        in_hand: int | None = None,
    ) -> None:
        assert isinstance(client, ProgramClient)
        group_story(
            client,
            broker,
            fresh_name,
            client.member_program(assignor),
            commits_are_told=self.commits_are_told,
            in_hand=self.in_hand if in_hand is None else in_hand,
        )

    def test_a_static_member_keeps_its_place_while_it_is_away(
        self, client: ProgramClient, bootstrap: str, fresh_name: FreshName
    ) -> None:
        self.need("static members")
        topic, group = fresh_name("topic"), fresh_name("group")
        client.create_topic(topic, 2)
        program = client.member_program(self.assignors[0], "seat")
        complete = GroupView("Stable", 1, (0, 1))
        for number in range(2):
            client.produce(topic, [Record(b"x")])
            member = Member(program.command(bootstrap, group, topic), program.parse)
            try:
                eventually(lambda: client.describe_group(group) == complete, "both partitions")
                expected = {Position(0, number)}
                eventually(lambda m=member, e=expected: e <= set(m.read), "what is new")
            finally:
                member.leave()
            assert set(member.read) == expected
            # Its goodbye is silent: the group still counts on it, and nothing was rebalanced.
            assert client.describe_group(group) == complete
