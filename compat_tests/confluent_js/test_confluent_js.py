"""@confluentinc/kafka-javascript: librdkafka, as Node programs use it."""

from __future__ import annotations

from compat_tests.client import Record
from compat_tests.groups import PER_PARTITION
from compat_tests.node import node_command
from compat_tests.partitioners import librdkafkas
from compat_tests.serving import ServingClient, ServingSuite


class ConfluentJs(ServingClient):
    name = "@confluentinc/kafka-javascript"
    lacks = {
        "configs": "no call for them",
        "generations": "librdkafka commits in no generation but its own",
    }
    assignors = ("range", "cooperative-sticky")
    sends_null_headers = False
    command = node_command("confluent_js")
    partition_of = staticmethod(librdkafkas)

    def seen(self, record: Record) -> Record:
        """It sends empty keys and gives empty values as none; all else arrives as it was."""
        return record._replace(key=record.key or None, value=record.value or None)


class TestConfluentJs(ServingSuite):
    client_class = ConfluentJs
    # It hands out, and commits, what it had fetched of a partition that another member has by now.
    in_hand = 3 * PER_PARTITION
