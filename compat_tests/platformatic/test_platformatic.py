"""@platformatic/kafka: only the newest versions of every request, topic ids, flexible groups."""

from __future__ import annotations

from compat_tests.client import Record
from compat_tests.node import node_command
from compat_tests.partitioners import unsigned
from compat_tests.serving import ServingClient, ServingSuite
from compat_tests.suite import FreshName


class Platformatic(ServingClient):
    name = "@platformatic/kafka"
    lacks = {
        "zstd": "no zstd before Node 22",
        "pause": "it pauses whole streams, not partitions",
        "metadata of commits": "its commit takes none",
        "silent goodbye": "it always leaves, by its member id",
        "cooperative groups": "only eager assignors",
        "generations": "it commits in no generation but its own",
    }
    assignors = ("roundrobin",)
    command = node_command("platformatic")
    partition_of = staticmethod(unsigned)


class TestPlatformatic(ServingSuite):
    client_class = Platformatic

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
