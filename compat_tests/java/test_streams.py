"""A Streams application: words are counted, with a repartitioning topic and a changelog.

The counts survive a restart of the broker, a clean end of the application, and the loss of its
local state, which is then read again from the changelog.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import Record
from compat_tests.java import runner
from compat_tests.programs import CannotBuild, not_testable
from compat_tests.requirements import need_module
from compat_tests.suite import FreshName
from compat_tests.waiting import eventually

runner.need_kafkas_jars()
need_module("kafka")

from compat_tests.kafka_python.client import KafkaPython

TEXT = "the quick brown fox jumps over the lazy dog and the cat"
PARTITIONS = 2
STOP_TIMEOUT_S = 60


class Application:
    def __init__(self, folder: Path, bootstrap: str, name: str, topics: tuple[str, str]) -> None:
        try:
            java = runner.command("WordCount")
        except CannotBuild as failure:
            not_testable(f"Streams: {failure}")
        self.log = folder / "application.log"
        self.folder = folder
        self.command = [*java, bootstrap, name, *topics]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, state: str) -> None:
        with self.log.open("ab") as log:
            command = [*self.command, str(self.folder / state)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, *, kill: bool = False) -> None:
        if self.process is None:
            return
        process, self.process = self.process, None
        if kill:
            process.kill()
        else:
            process.terminate()
        process.wait(STOP_TIMEOUT_S)


@pytest.fixture
def topics(bootstrap: str, fresh_name: FreshName) -> tuple[str, str]:
    names = fresh_name("lines"), fresh_name("counts")
    for name in names:
        KafkaPython(bootstrap).create_topic(name, PARTITIONS)
    return names


@pytest.fixture
def application(
    tmp_path: Path, bootstrap: str, topics: tuple[str, str], fresh_name: FreshName
) -> Iterator[Application]:
    application = Application(tmp_path, bootstrap, fresh_name("streams"), topics)
    yield application
    application.stop(kill=True)


def test_words_are_counted_through_restarts(
    application: Application, broker: Broker, topics: tuple[str, str]
) -> None:
    client = KafkaPython(broker.bootstrap)
    lines, counts = topics
    expected: Counter[str] = Counter()

    def write(times: int) -> None:
        for partition in range(PARTITIONS):
            client.produce(lines, [Record(TEXT.encode())] * times, partition=partition)
            for word in TEXT.split():
                expected[word] += times

    def counted() -> dict[str, int]:
        latest: dict[str, int] = {}
        for partition in range(PARTITIONS):
            first, end = client.watermarks(counts, partition)
            for record in client.consume(counts, end - first, partition=partition, at=first):
                assert record.key is not None
                assert record.value is not None
                latest[record.key.decode()] = int(record.value)
        return latest

    def all_counted(what: str) -> None:
        def look() -> bool:
            alive = application.process is not None and application.process.poll() is None
            assert alive, application.log.read_text()[-4000:]
            return counted() == expected

        eventually(look, f"the counts {what}")

    write(50)
    application.start("state")
    all_counted("of the first lines")
    if broker.owned:
        broker.restart()
        write(20)
        all_counted("after the broker's restart")
    application.stop()
    write(10)
    application.start("empty state")
    all_counted("from the changelog on")
    internal = [name for name in client.topics() if name.startswith(application.command[-3])]
    assert sorted(name.rsplit("-", 1)[1] for name in internal) == ["changelog", "repartition"]
    (changelog,) = [name for name in internal if name.endswith("changelog")]
    assert client.configs(changelog)["cleanup.policy"] == "compact"
