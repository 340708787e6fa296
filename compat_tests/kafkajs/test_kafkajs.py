"""kafkajs: no flexible request, no fetch session, one batch per partition and request."""

from __future__ import annotations

from compat_tests.client import Record
from compat_tests.node import node_command
from compat_tests.partitioners import javas
from compat_tests.serving import ServingClient, ServingSuite


class KafkaJs(ServingClient):
    name = "kafkajs"
    lacks = {
        "cooperative groups": "only eager assignors",
        "static members": "no instance ids",
        "generations": "it commits in no generation but its own",
    }
    assignors = ("roundrobin",)
    sends_null_headers = False
    command = node_command("kafkajs")
    partition_of = staticmethod(javas)

    def seen(self, record: Record) -> Record:
        """It has headers as a dictionary."""
        return record._replace(headers=tuple(sorted(record.headers, key=lambda pair: pair[0])))


class TestKafkaJs(ServingSuite):
    client_class = KafkaJs

    def test_the_cluster_describes_itself(self, client: KafkaJs) -> None:
        cluster = client.ask("cluster")
        assert cluster["clusterId"]
        assert [broker["port"] for broker in cluster["brokers"]] == [
            int(client.bootstrap.split(":")[1])
        ]
        assert cluster["controller"] == cluster["brokers"][0]["nodeId"]
