"""Exports and imports that are killed in the middle, and gone on with: nothing lost or twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from godel.records.builder import NewRecord
from godel.testing import Broker
from tests.cli.terminal import PATIENCE_S, environment
from tests.wire import NOW_MS, Client, batch

pytestmark = pytest.mark.slow

PARTITIONS, BATCHES, RECORDS = 3, 12, 200
PROGRAM = [sys.executable, "-c", "from godel.cli.main import entry; entry()"]


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture
def outside(broker: Broker) -> Iterator[Client]:
    """A topic of records that can be told apart, and a copy with the same settings."""
    with Client(broker) as client:
        for topic in ("flights", "copy"):
            client.create(topic, partitions=PARTITIONS, configs={"retention.ms": -1})
        for partition in range(PARTITIONS):
            for number in range(BATCHES):
                records = [
                    NewRecord(b"%d" % each, b"%d-%d-%d" % (partition, number, each), [], NOW_MS)
                    for each in range(RECORDS)
                ]
                client.produce("flights", batch(*records), partition=partition)
        yield client


class Runner:
    """Runs `godel` as a process."""

    def __init__(self, broker: Broker, home: Path) -> None:
        self._environment = environment(broker.bootstrap_servers, home)

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [*PROGRAM, *words], env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill_once(self, reached: Callable[[], bool], *words: str) -> None:
        """Start a command and kill it as soon as it is so far, unless it ends before."""
        process = subprocess.Popen(
            [*PROGRAM, *words],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_S
        while not reached() and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
                return
        process.kill()
        process.wait()

    def records(self, topic: str) -> list[str]:
        lines = self.run("export", topic).replace(f'"{topic}"', '"T"').splitlines()
        return sorted(lines)


@pytest.mark.parametrize("name", ["flights.jsonl", "flights.batches"])
def test_killed_again_and_again(broker: Broker, outside: Client, tmp_path: Path, name: str) -> None:
    runner, path = Runner(broker, tmp_path), tmp_path / name
    whole = tmp_path / f"whole-{name}"
    runner.run("export", "flights", str(whole))
    size = whole.stat().st_size
    for share in (0.1, 0.5):
        runner.kill_once(
            lambda share=share: path.exists() and path.stat().st_size > share * size,  # type: ignore[misc]  # bound now
            "export", "flights", str(path), "--resume",
        )  # fmt: skip
    runner.run("export", "flights", str(path), "--resume")
    assert path.stat().st_size == size

    def imported() -> int:
        return sum(outside.list_offset("copy", -1, partition=at).offset for at in range(PARTITIONS))

    total = PARTITIONS * BATCHES * RECORDS
    for share in (0.1, 0.5):
        runner.kill_once(
            lambda share=share: imported() > share * total,  # type: ignore[misc]  # bound now
            "import", "copy", str(path), "--resume",
        )  # fmt: skip
    runner.run("import", "copy", str(path), "--resume")
    assert imported() == total
    assert runner.records("copy") == runner.records("flights")
