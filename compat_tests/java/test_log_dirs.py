"""Kafka's tools for log directories, against a broker with two of them: ours, and Apache Kafka's.

Both are asked the same, so that a change of Kafka's shows here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests import apache_kafka
from compat_tests.brokers import BrokerProcess, godel_command
from compat_tests.client import Record
from compat_tests.java.runner import ToolRunner, need_kafkas_jars
from compat_tests.requirements import need_module
from compat_tests.waiting import eventually

need_kafkas_jars()
need_module("kafka")  # produces and reads

from compat_tests.kafka_python.client import KafkaPython

pytestmark = pytest.mark.slow

LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
NODE_ID = 1
TOPIC = "spread"
PARTITIONS = 4
COUNT = 50


class TwoDisks:
    """A broker with two data directories, and the tools."""

    def __init__(self, broker: BrokerProcess, paths: list[str], runner: ToolRunner) -> None:
        self.broker = broker
        self.paths = paths
        self.client = KafkaPython(broker.bootstrap)
        self._runner = runner

    def run(self, main_class: str, *arguments: str, fails: bool = False) -> str:
        place = ("--bootstrap-server", self.broker.bootstrap)
        return self._runner.run(main_class, *arguments, *place, fails=fails)

    def homes(self) -> dict[int, list[tuple[str, bool]]]:
        """Where each partition is, as `kafka-log-dirs.sh` says, and whether it is on its way."""
        told = self.run(LOG_DIRS, "--describe", "--topic-list", TOPIC)
        (broker,) = json.loads(told.splitlines()[-1])["brokers"]
        assert sorted(each["logDir"] for each in broker["logDirs"]) == sorted(self.paths)
        homes: dict[int, list[tuple[str, bool]]] = {}
        for directory in broker["logDirs"]:
            assert directory["error"] is None
            for partition in directory["partitions"]:
                index = int(partition["partition"].rpartition("-")[2])
                homes.setdefault(index, []).append((directory["logDir"], partition["isFuture"]))
        return homes

    def elsewhere(self, home: str) -> str:
        return next(path for path in self.paths if path != home)

    def values(self, partition: int) -> list[bytes | None]:
        return [one.value for one in self.client.consume(TOPIC, COUNT, partition=partition)]

    def plan(self, folder: Path, wanted: dict[int, str]) -> tuple[str, str]:
        """A file that asks for partitions to be in these directories, as an argument."""
        moves = [
            {"topic": TOPIC, "partition": index, "replicas": [NODE_ID], "log_dirs": [path]}
            for index, path in wanted.items()
        ]
        file = folder / "plan.json"
        file.write_text(json.dumps({"version": 1, "partitions": moves}))
        return "--reassignment-json-file", str(file)


@pytest.fixture(scope="module")
def runner() -> Iterator[ToolRunner]:
    runner = ToolRunner()
    yield runner
    runner.end()


@pytest.fixture(params=["godel", "kafka"])
def two_disks(
    request: pytest.FixtureRequest, tmp_path: Path, runner: ToolRunner
) -> Iterator[TwoDisks]:
    paths = [str(tmp_path / name) for name in ("first", "second")]
    if request.param == "godel":
        setting = shlex.quote(f"log.dirs={','.join(paths)}")
        command = godel_command().replace("--data {data}", f"--set {setting}")
    else:
        command = apache_kafka.command(settings={"log.dirs": ",".join(paths)})
    broker = BrokerProcess(tmp_path, command)
    broker.start()
    try:
        disks = TwoDisks(broker, paths, runner)
        disks.client.create_topic(TOPIC, partitions=PARTITIONS)
        for partition in range(PARTITIONS):
            records = [Record(b"%d" % number) for number in range(COUNT)]
            disks.client.produce(TOPIC, records, partition=partition)
        yield disks
    finally:
        broker.kill()


def test_partitions_are_spread_over_the_directories_and_moved_between_them(
    two_disks: TwoDisks, tmp_path: Path
) -> None:
    homes = two_disks.homes()
    assert sorted(homes) == list(range(PARTITIONS))
    assert all(len(places) == 1 for places in homes.values())
    used = [places[0][0] for places in homes.values()]
    assert [used.count(path) for path in two_disks.paths] == [2, 2]

    wanted = {index: two_disks.elsewhere(homes[index][0][0]) for index in range(2)}
    plan = two_disks.plan(tmp_path, wanted)
    told = two_disks.run(REASSIGN, *plan, "--execute")
    for index, path in wanted.items():
        replica = f"{TOPIC}-{index} with broker {NODE_ID}"
        assert f"Successfully started moving log directory to {path} for replica {replica}" in told

    def are_moved() -> bool:
        told = two_disks.run(REASSIGN, *plan, "--verify")
        ends = [f"{TOPIC}-{i}-{NODE_ID} completed successfully" for i in wanted]
        return all(f"Reassignment of replica {end}" in told for end in ends)

    eventually(are_moved, "the moves end")
    for is_restarted in (False, True):
        if is_restarted:
            two_disks.broker.restart()
        moved = two_disks.homes()
        assert moved == homes | {index: [(path, False)] for index, path in wanted.items()}
        for partition in range(PARTITIONS):
            assert two_disks.values(partition) == [b"%d" % number for number in range(COUNT)]


def test_a_directory_that_is_not_there_is_said(two_disks: TwoDisks, tmp_path: Path) -> None:
    homes = two_disks.homes()
    plan = two_disks.plan(tmp_path, {0: "/nowhere"})
    told = two_disks.run(REASSIGN, *plan, "--execute", fails=True)
    assert f"Failed to alter dir for {TOPIC}-0-{NODE_ID}" in told
    assert "LogDirNotFoundException" in told
    assert two_disks.homes() == homes
