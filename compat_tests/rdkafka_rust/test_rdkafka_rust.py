"""The crate rdkafka: the shared scenarios through src/main.rs, with the librdkafka it brings."""

from __future__ import annotations

from compat_tests.program_suite import ProgramSuite
from compat_tests.programs import ProgramClient


class RdkafkaRust(ProgramClient):
    name = "rdkafka for Rust"
    language = "rust"
    folder = "rdkafka_rust"
    lacks = frozenset({"commits as another"})


class TestRdkafkaRust(ProgramSuite):
    client_class = RdkafkaRust
    assignors = ("range", "cooperative-sticky")
    creates_topics = True

    # The library does not tell what its partitioner would choose.
    test_keys_go_where_the_clients_own_partitioner_says = None
