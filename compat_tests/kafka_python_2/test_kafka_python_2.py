"""kafka-python 2.0: low versions of every request, AlterConfigs instead of its successor."""

from __future__ import annotations

import pytest

from compat_tests import environments
from compat_tests.remote import RemoteClient
from compat_tests.remote_suite import RemoteSuite
from compat_tests.requirements import missing

if not environments.is_there("kafka_python_2"):
    missing("kafka-python 2.0 in .cache/clients")

PYTHON = str(environments.python_of("kafka_python_2"))


class KafkaPython2(RemoteClient):
    name = "kafka-python 2.0"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    sends_null_headers = False
    command = (PYTHON, "-m", "compat_tests.kafka_python_2.program")


class TestKafkaPython2(RemoteSuite):
    client_class = KafkaPython2

    def test_idempotent_producer(self) -> None:
        pytest.skip("2.0 has no idempotent producer")

    def test_a_message_for_a_topic_that_cannot_be(self) -> None:
        pytest.skip("2.0 asks for the topic for a minute, whatever the broker answers")
