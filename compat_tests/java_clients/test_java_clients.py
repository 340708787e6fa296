"""Kafka's own Java client in three generations: the shared scenarios, and what is Java's alone."""

from __future__ import annotations

from typing import ClassVar

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import BrokerError, Code, GroupView, Record
from compat_tests.groups import Member, when_coordinator_is_up
from compat_tests.java_clients import clients
from compat_tests.packing import record_to_json
from compat_tests.programs import CannotBuild, LibrarysChoice, not_testable
from compat_tests.serving import ServingClient, ServingSuite
from compat_tests.suite import FreshName
from compat_tests.waiting import eventually

UNKNOWN_MEMBER_ID = 25
FENCED_INSTANCE_ID = 82
ELECTION_NOT_NEEDED = 84
SEATS = 3


class JavaClient(ServingClient, LibrarysChoice):
    lacks = {"generations": "no call for it; but see who is removed, and who is fenced"}
    assignors = ("range", "cooperative-sticky")
    version: ClassVar[str]

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        try:
            self.command = clients.command(self.version)
        except CannotBuild as failure:
            not_testable(str(failure))


def send_held(client: JavaClient, topic: str, first: int, count: int) -> list[list[int]]:
    records = [record_to_json(Record(b"%d" % (first + number))) for number in range(count)]
    return client.ask("send_held", topic=topic, partition=0, records=records)


class JavaSuite(ServingSuite):
    client_class: ClassVar[type[JavaClient]]

    def test_producing_to_an_unknown_topic(self, client: JavaClient, fresh_name: FreshName) -> None:
        """This producer always asks for the topic to be made; a look at one does not."""
        topic = fresh_name("unknown")
        with pytest.raises(BrokerError) as failure:
            client.ask("describe_topic", topic=topic)
        assert failure.value.code == Code.UNKNOWN_TOPIC_OR_PARTITION
        assert client.produce(topic, [Record(b"x")])[0].offset == 0
        assert topic in client.topics()

    @pytest.mark.parametrize("idempotent", [True, False])
    def test_an_open_producer_goes_on_after_the_broker_is_killed(
        self, client: JavaClient, broker: Broker, topic: str, *, idempotent: bool
    ) -> None:
        client.ask("hold_producer", idempotent=idempotent)
        try:
            landed = send_held(client, topic, 0, 300)
            broker.kill_and_restart()
            landed += send_held(client, topic, 300, 300)
            broker.restart()
            landed += send_held(client, topic, 600, 300)
        finally:
            client.ask("close_held")
        assert landed == [[0, offset] for offset in range(900)]
        assert client.consume(topic, 900) == [Record(b"%d" % number) for number in range(900)]

    # -- groups -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("assignor", ["roundrobin", "sticky"])
    def test_other_assignors_share_all_partitions(
        self, client: JavaClient, bootstrap: str, fresh_name: FreshName, assignor: str
    ) -> None:
        topic, group = fresh_name("topic"), fresh_name("group")
        client.create_topic(topic, SEATS)
        command = client.member_command(assignor)
        members = [Member(command(bootstrap, group, topic)) for _ in "ab"]
        try:
            self.settle(client, group, GroupView("Stable", 2, (0, 1, 2)))
        finally:
            for member in members:
                member.leave()
        assert client.describe_group(group) == GroupView("Empty", 0, ())

    def settle(self, client: JavaClient, group: str, expected: GroupView) -> None:
        eventually(lambda: client.describe_group(group) == expected, str(expected))

    def test_who_was_removed_cannot_commit(
        self, client: JavaClient, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.produce(topic, [Record(b"x")])
        assert client.ask("sit_down", group=group, topic=topic) == 1
        try:
            client.ask("commit_seated")
            client.ask("remove_members", group=group)
            with pytest.raises(BrokerError) as failure:
                client.ask("commit_seated")
            assert failure.value.code == UNKNOWN_MEMBER_ID
        finally:
            client.ask("stand_up")

    def test_the_younger_of_two_with_one_instance_id_stays(
        self, client: JavaClient, bootstrap: str, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.ask("sit_down", group=group, topic=topic, instance="seat")
        younger = Member(client.member_command("range", "seat")(bootstrap, group, topic))
        try:

            def fenced() -> bool:
                try:
                    client.ask("poll_seated")
                    client.ask("commit_seated")
                except BrokerError as error:
                    return error.code == FENCED_INSTANCE_ID
                return False

            eventually(fenced, "the elder is fenced")
            client.produce(topic, [Record(b"x")])
            eventually(lambda: younger.committed, "the younger one's commit")
        finally:
            client.ask("stand_up")
            younger.leave()

    # -- administration ---------------------------------------------------------------------------

    def test_offsets_of_a_group_are_moved_and_forgotten(
        self, client: JavaClient, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.produce(topic, [Record(b"%d" % number) for number in range(10)])
        client.commit(group, topic, 7, "seven")
        place = {"group": group, "topic": topic}
        seen = client.ask("committed", **place, list=[0], by_admin=True)
        assert seen == [{"offset": 7, "metadata": "seven"}]
        client.ask("move_offset", **place, at=3)
        assert client.committed(group, topic) == [(3, "")]
        client.ask("forget_offset", **place)
        assert client.committed(group, topic) == [None]

    def test_the_cluster_describes_itself(
        self, client: JavaClient, broker: Broker, topic: str
    ) -> None:
        cluster = client.ask("cluster")
        assert cluster["nodes"] == [cluster["controller"]]
        assert cluster["ports"] == [int(broker.bootstrap.split(":")[1])]
        assert len(cluster["id"]) == 22
        assert (cluster["directories"], cluster["reassignments"]) == (1, 0)
        leader = cluster["controller"]
        assert client.ask("describe_topic", topic=topic) == [[0, leader, 1, 1]]
        assert client.ask("leaders", topic=topic) == ELECTION_NOT_NEEDED

    def test_offsets_are_listed_and_a_topic_validated(
        self, client: JavaClient, topic: str, fresh_name: FreshName
    ) -> None:
        client.produce(topic, [Record(b"x")] * 4)
        client.delete_records(topic, 1)
        assert client.ask("list_offsets", topic=topic) == [1, 4, 1]
        only_asked = fresh_name("validated")
        client.ask("validate_topic", topic=only_asked)
        assert only_asked not in client.topics()
        with pytest.raises(BrokerError) as failure:
            client.ask("validate_topic", topic=topic)
        assert failure.value.code == Code.TOPIC_ALREADY_EXISTS

    def test_a_commit_is_there_after_a_kill(
        self, client: JavaClient, broker: Broker, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.commit(group, topic, 17, "before")
        broker.kill_and_restart()
        committed = when_coordinator_is_up(lambda: client.committed(group, topic))
        assert committed == [(17, "before")]


class Java4(JavaClient):
    name = "Java 4.3"
    version = clients.VERSIONS[0]


class Java3(JavaClient):
    name = "Java 3.9"
    version = clients.VERSIONS[1]


class Java2(JavaClient):
    name = "Java 2.8"
    version = clients.VERSIONS[2]


class TestJava4(JavaSuite):
    client_class = Java4


class TestJava3(JavaSuite):
    client_class = Java3


class TestJava2(JavaSuite):
    client_class = Java2
