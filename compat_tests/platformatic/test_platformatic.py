"""@platformatic/kafka: only the newest versions of every request, topic ids, flexible groups."""

from __future__ import annotations

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import Record
from compat_tests.groups import when_coordinator_is_up
from compat_tests.node import node_command
from compat_tests.remote import RemoteClient
from compat_tests.remote_suite import RemoteSuite, murmur2
from compat_tests.suite import FreshName


class Platformatic(RemoteClient):
    name = "@platformatic/kafka"
    codecs = ("none", "gzip", "snappy", "lz4")
    command = node_command("platformatic")


def unsigned_partition(key: bytes, partitions: int) -> int:
    """Its own choice: Java clears the hash's sign, it takes the hash as unsigned."""
    return murmur2(key) % partitions


class TestPlatformatic(RemoteSuite):
    client_class = Platformatic
    partition_of = staticmethod(unsigned_partition)

    def test_a_paused_partition_waits_while_the_other_is_read(self) -> None:
        pytest.skip("it pauses whole streams, not partitions")

    def test_commits_keep_their_metadata(
        self, client: Platformatic, topic: str, fresh_name: FreshName
    ) -> None:
        """It cannot give any, but reads what the broker says of them."""
        group = fresh_name("group")
        assert client.committed(group, topic) == [None]
        client.commit(group, topic, 17, "")
        assert client.committed(group, topic) == [(17, "")]

    def test_everything_is_there_after_a_restart(
        self, client: Platformatic, broker: Broker, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        records = [Record(b"%d" % i, b"k", (("h", b"%d" % i),)) for i in range(1000)]
        client.produce(topic, records, codec="lz4")
        client.commit(group, topic, 400, "")
        broker.restart()
        assert when_coordinator_is_up(lambda: client.committed(group, topic)) == [(400, "")]
        assert client.consume(topic, 600, at=400) == records[400:]
        assert client.produce(topic, [Record(b"next")])[0].offset == 1000

    def test_records_are_deleted_up_to_an_offset(self, client: Platformatic, topic: str) -> None:
        client.produce(topic, [Record(b"%d" % number) for number in range(10)])
        client.ask("delete_records", topic=topic, before=7)
        assert client.watermarks(topic) == (7, 10)

    def test_a_committed_offset_is_deleted(
        self, client: Platformatic, topic: str, fresh_name: FreshName
    ) -> None:
        group = fresh_name("group")
        client.commit(group, topic, 3, "")
        client.ask("delete_offset", group=group, topic=topic)
        assert client.committed(group, topic) == [None]

    def test_directories_tell_the_size_of_a_partition(
        self, client: Platformatic, topic: str
    ) -> None:
        client.produce(topic, [Record(bytes(5000))])
        (size_bytes,) = client.ask("log_dirs", topic=topic)
        assert size_bytes > 5000
