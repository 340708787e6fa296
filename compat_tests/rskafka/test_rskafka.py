"""rskafka: what of the shared scenarios a library without groups and settings can do."""

from __future__ import annotations

from compat_tests.client import Record
from compat_tests.programs import ProgramClient
from compat_tests.suite import ClientSuite


class Rskafka(ProgramClient):
    name = "rskafka"
    language = "rust"
    folder = "rskafka"
    sends_null_headers = False
    lacks = {
        "groups": "it knows no groups",
        "idempotence": "no idempotent producer",
        "partitioner": "every record is sent to a partition",
        "pause": "a stream is dropped, not paused",
        "configs": "no call for them",
        "configs of new topics": "no call for them",
        "more partitions": "no call for it",
    }

    def seen(self, record: Record) -> Record:
        """Its headers are a map in the order of their names."""
        return record._replace(headers=tuple(sorted(dict(record.headers).items())))


class TestRskafka(ClientSuite):
    client_class = Rskafka
