"""confluent-kafka: the shared scenarios, and what only librdkafka asks of a broker."""

from __future__ import annotations

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import Client, GroupView, Record
from compat_tests.groups import group_story, member_program
from compat_tests.requirements import need_module
from compat_tests.suite import ClientSuite, FreshName
from compat_tests.waiting import eventually

need_module("confluent_kafka")

from confluent_kafka import Consumer, TopicPartition

from compat_tests.confluent_kafka.client import ConfluentKafka, only_answer


class TestConfluentKafka(ClientSuite):
    client_class = ConfluentKafka

    def test_a_cooperative_group_lives_through_the_same(
        self,
        client: Client,
        broker: Broker,
        fresh_name: FreshName,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("ASSIGNOR", "cooperative-sticky")
        program = member_program(self.client_class.__module__)
        group_story(client, broker, fresh_name, program, commits_are_told=True)

    def test_a_static_member_keeps_its_place_while_it_is_away(
        self, client: ConfluentKafka, fresh_name: FreshName
    ) -> None:
        topic, group = fresh_name("topic"), fresh_name("group")
        client.create_topic(topic, 2)

        def assignment_of(consumer: Consumer) -> list[TopicPartition]:
            consumer.poll(0.1)
            return consumer.assignment()

        for _ in range(2):
            with client.consumer(
                group_id=group, group_instance_id="seat", session_timeout_ms=10_000
            ) as consumer:
                consumer.subscribe([topic])
                eventually(lambda c=consumer: len(assignment_of(c)) == 2, "both partitions")
            # Its goodbye is silent: the group still counts on it, and nothing was rebalanced.
            assert client.describe_group(group) == GroupView("Stable", 1, (0, 1))

    def test_groups_are_listed_and_deleted(
        self, client: ConfluentKafka, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.commit(group, topic, 5, "")
        with client.admin() as admin:
            listed = admin.list_consumer_groups().result(30)
            assert group in {entry.group_id for entry in listed.valid}
            only_answer(admin.delete_consumer_groups([group]))
        assert client.committed(group, topic) == [None]

    def test_a_topic_made_again_is_another_topic(
        self, client: ConfluentKafka, fresh_name: FreshName
    ) -> None:
        topic = fresh_name("twice")
        client.create_topic(topic)
        client.produce(topic, [Record(b"old")] * 3)
        client.delete_topic(topic)
        eventually(lambda: topic not in client.topics(), "the topic is gone")
        client.create_topic(topic)
        eventually(lambda: topic in client.topics(), "the topic is back")
        assert client.watermarks(topic) == (0, 0)
        client.produce(topic, [Record(b"new")])
        assert client.consume(topic, 1) == [Record(b"new")]

    def test_the_cluster_describes_itself(self, client: ConfluentKafka) -> None:
        with client.admin() as admin:
            cluster = admin.describe_cluster().result(30)
        assert cluster.cluster_id
        assert [node.port for node in cluster.nodes] == [int(client.bootstrap.split(":")[1])]
        assert cluster.controller.id == cluster.nodes[0].id
