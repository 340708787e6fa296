"""confluent-kafka-go: the shared scenarios through main.go, with the librdkafka it brings."""

from __future__ import annotations

from compat_tests.partitioners import librdkafkas
from compat_tests.programs import ProgramClient
from compat_tests.suite import ClientSuite


class ConfluentGo(ProgramClient):
    name = "confluent-kafka-go"
    language = "go"
    folder = "confluent_go"
    assignors = ("range", "cooperative-sticky")
    lacks = {"generations": "librdkafka commits in no generation but its own"}
    partition_of = staticmethod(librdkafkas)


class TestConfluentGo(ClientSuite):
    client_class = ConfluentGo
