"""quixstreams: stream processing without transactions; state comes back from its changelog."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from kafka import TopicPartition

from compat_tests import environments
from compat_tests.brokers import Broker
from compat_tests.client import Record
from compat_tests.kafka_python.client import KafkaPython
from compat_tests.requirements import missing
from compat_tests.suite import FreshName

if not environments.is_there("quixstreams"):
    missing("quixstreams in .cache/clients")

PROGRAM = Path(__file__).with_name("program.py")
TIMEOUT_S = 150
KEYS = 3
PER_KEY = 10


class Application:
    """Its topics and group; each run is a process of its own."""

    def __init__(self, client: KafkaPython, fresh_name: FreshName) -> None:
        self.client = client
        self.group = fresh_name("group")
        self.source, self.target = fresh_name("source"), fresh_name("target")
        for topic in (self.source, self.target):
            client.create_topic(topic, 2)
        self.changelog = f"changelog__{self.group}--{self.source}--default"

    def feed(self) -> int:
        """The same number of records for each key."""
        records = [Record(b"%d" % n, b"key %d" % (n % KEYS)) for n in range(KEYS * PER_KEY)]
        self.client.produce(self.source, records, partition=None)
        return len(records)

    def run(self, what: str, folder: Path, count: int) -> None:
        names = (self.client.bootstrap, self.group, self.source, self.target, folder, count)
        done = subprocess.run(
            [str(part) for part in (environments.python_of("quixstreams"), PROGRAM, what, *names)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def results(self) -> dict[str, list[object]]:
        """By key, in order."""
        found: dict[str, list[object]] = {}
        for partition in range(2):
            _first, end = self.client.watermarks(self.target, partition)
            for record in self.client.consume(self.target, end, partition=partition):
                found.setdefault(record.key.decode(), []).append(json.loads(record.value))
        return found


@pytest.fixture
def application(bootstrap: str, fresh_name: FreshName) -> Application:
    return Application(KafkaPython(bootstrap), fresh_name)


def numbers_of(key: int) -> list[int]:
    return [n for n in range(KEYS * PER_KEY) if n % KEYS == key]


def test_an_application_without_state(application: Application, tmp_path: Path) -> None:
    application.run("doubled", tmp_path, application.feed())
    doubled = {f"key {k}": [2 * n for n in numbers_of(k)] for k in range(KEYS)}
    assert application.results() == doubled


def test_it_goes_on_where_it_ended(application: Application, tmp_path: Path) -> None:
    for _ in range(2):
        application.run("doubled", tmp_path, application.feed())
    assert {len(values) for values in application.results().values()} == {2 * PER_KEY}


def test_state_comes_back_from_the_changelog_after_a_restart(
    application: Application, broker: Broker, tmp_path: Path
) -> None:
    """The second run has neither the first one's folder nor, where it is ours, its broker."""
    application.run("counted", tmp_path / "first", application.feed())
    configs = application.client.configs(application.changelog)
    assert configs["cleanup.policy"] == "compact"
    assert application.client.topics()[application.changelog] == 2
    if broker.owned:
        broker.restart()
    application.run("counted", tmp_path / "second", application.feed())
    for key in range(KEYS):
        found = application.results()[f"key {key}"]
        assert [result["count"] for result in found] == list(range(1, 2 * PER_KEY + 1))
        assert found[-1]["total"] == 2 * sum(numbers_of(key))


def test_an_out_of_range_position_is_left_behind(application: Application, tmp_path: Path) -> None:
    """Its source's old records are deleted, so its committed offset is none any more."""
    application.run("doubled", tmp_path, application.feed())
    application.feed()
    ends = [application.client.watermarks(application.source, p)[1] for p in range(2)]
    with application.client.admin() as admin:
        admin.delete_records(
            {TopicPartition(application.source, p): end for p, end in enumerate(ends)}
        )
    application.run("doubled", tmp_path, application.feed())
    assert {len(values) for values in application.results().values()} == {2 * PER_KEY}
