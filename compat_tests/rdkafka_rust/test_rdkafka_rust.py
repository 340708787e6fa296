"""The crate rdkafka: the shared scenarios through src/main.rs, with the librdkafka it brings."""

from __future__ import annotations

from compat_tests.partitioners import librdkafkas
from compat_tests.programs import ProgramClient
from compat_tests.suite import ClientSuite


class RdkafkaRust(ProgramClient):
    name = "rdkafka for Rust"
    language = "rust"
    folder = "rdkafka_rust"
    assignors = ("range", "cooperative-sticky")
    lacks = {"generations": "librdkafka commits in no generation but its own"}
    partition_of = staticmethod(librdkafkas)


class TestRdkafkaRust(ClientSuite):
    client_class = RdkafkaRust
