"""kafka-python 2.0: low versions of every request, AlterConfigs instead of its successor."""

from __future__ import annotations

from compat_tests import environments
from compat_tests.partitioners import javas
from compat_tests.requirements import missing
from compat_tests.serving import ServingClient, ServingSuite

if not environments.is_there("kafka_python_2"):
    missing("kafka-python 2.0 in .cache/clients")

PYTHON = str(environments.python_of("kafka_python_2"))


class KafkaPython2(ServingClient):
    name = "kafka-python 2.0"
    sends_null_headers = False
    command = (PYTHON, "-m", "compat_tests.kafka_python_2.program")
    partition_of = staticmethod(javas)
    lacks = {
        "idempotence": "no idempotent producer",
        "deletion of records": "no call for it",
        "cooperative groups": "only eager assignors",
        "static members": "no instance ids",
        "generations": "its CommitFailedError does not tell what the broker answered",
        "error for a bad topic": "it asks for the topic for a minute, whatever the broker answers",
    }


class TestKafkaPython2(ServingSuite):
    client_class = KafkaPython2
