"""confluent-kafka: the shared scenarios, and what only librdkafka asks of a broker."""

from __future__ import annotations

from compat_tests.client import Record
from compat_tests.requirements import need_module
from compat_tests.suite import ClientSuite, FreshName
from compat_tests.waiting import eventually

need_module("confluent_kafka")

from compat_tests.confluent_kafka.client import ConfluentKafka


class TestConfluentKafka(ClientSuite):
    client_class = ConfluentKafka

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
