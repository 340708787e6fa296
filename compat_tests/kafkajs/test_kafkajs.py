"""kafkajs: no flexible request, no fetch session, one batch per partition and request."""

from __future__ import annotations

from compat_tests.client import Record
from compat_tests.node import node_command
from compat_tests.remote import RemoteClient
from compat_tests.remote_suite import RemoteSuite
from compat_tests.suite import FreshName


class KafkaJs(RemoteClient):
    name = "kafkajs"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    sends_null_headers = False
    command = node_command("kafkajs")


class TestKafkaJs(RemoteSuite):
    client_class = KafkaJs
    keeps_header_order = False

    def test_records_are_deleted_up_to_an_offset(
        self, client: KafkaJs, topic: str, fresh_name: FreshName
    ) -> None:
        client.produce(topic, [Record(b"%d" % number) for number in range(10)])
        client.ask("delete_records", topic=topic, before=7)
        assert client.watermarks(topic) == (7, 10)
        with client.reader(fresh_name("group"), topic) as reader:
            assert [at.offset for at in reader.read(3)] == [7, 8, 9]

    def test_the_cluster_describes_itself(self, client: KafkaJs) -> None:
        cluster = client.ask("cluster")
        assert cluster["clusterId"]
        assert [broker["port"] for broker in cluster["brokers"]] == [
            int(client.bootstrap.split(":")[1])
        ]
        assert cluster["controller"] == cluster["brokers"][0]["nodeId"]
