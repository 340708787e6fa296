"""Kafka Connect, distributed: a file's lines go through a topic into another file.

Its worker keeps its connectors, offsets and their states in three compacted topics, and shares the
work by the group protocol ("connect", not "consumer").
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.brokers import Broker, free_port
from compat_tests.java.runner import java_command, need_kafkas_jars
from compat_tests.requirements import need_module
from compat_tests.suite import FreshName
from compat_tests.waiting import eventually

need_kafkas_jars()
need_module("kafka")

from compat_tests.kafka_python.client import KafkaPython

WORKER = "org.apache.kafka.connect.cli.ConnectDistributed"
CONNECTORS = "org.apache.kafka.connect.file.FileStream"
START_TIMEOUT_S = 180
LINES = 500


class Worker:
    """One worker's settings for life, and a process that comes and goes."""

    def __init__(self, folder: Path, bootstrap: str, name: str) -> None:
        self.rest = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "worker.log"
        self.settings = folder / "worker.properties"
        settings = {
            "bootstrap.servers": bootstrap,
            "group.id": name,
            "listeners": self.rest,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "config.storage.topic": f"{name}-configs",
            "offset.storage.topic": f"{name}-offsets",
            "offset.storage.partitions": "3",
            "status.storage.topic": f"{name}-status",
            "status.storage.partitions": "2",
            "offset.flush.interval.ms": "300",
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "500",
            "scheduled.rebalance.max.delay.ms": "0",
            "plugin.discovery": "service_load",
        }
        for store in ("config", "offset", "status"):
            settings[f"{store}.storage.replication.factor"] = "1"
        self.settings.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = java_command(WORKER, str(self.settings))
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(self.answers, "the worker's REST interface", timeout_s=START_TIMEOUT_S)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        return self.ask("/connectors") is not None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, path: str, body: object = None, method: str | None = None) -> object:
        """None while the worker has no answer (it starts, or its group rebalances)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.rest + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read() or b"true")
        except urllib.error.HTTPError as error:
            if error.code in (404, 409, 500, 503):
                return None
            raise
        except OSError:
            return None

    def configure(self, name: str, **config: str) -> None:
        wanted = {key.replace("_", "."): value for key, value in config.items()}
        eventually(lambda: self.ask(f"/connectors/{name}/config", wanted, "PUT"), name)

    def is_running(self, name: str) -> bool:
        status = self.ask(f"/connectors/{name}/status")
        if not isinstance(status, dict):
            return False
        states = [part["state"] for part in (status["connector"], *status["tasks"])]
        return states == ["RUNNING", "RUNNING"]


@pytest.fixture
def worker(tmp_path: Path, bootstrap: str, fresh_name: FreshName) -> Iterator[Worker]:
    worker = Worker(tmp_path, bootstrap, fresh_name("connect"))
    try:
        worker.start()
        yield worker
    finally:
        worker.kill()


def test_lines_go_from_file_to_file_through_restarts(
    worker: Worker, broker: Broker, tmp_path: Path, fresh_name: FreshName
) -> None:
    topic, source, sink = fresh_name("lines"), tmp_path / "source", tmp_path / "sink"
    written: list[str] = []

    def write() -> None:
        lines = [f"line {len(written) + number}" for number in range(LINES)]
        with source.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
        written.extend(lines)

    def arrived() -> list[str]:
        return sink.read_text().splitlines() if sink.exists() else []

    def all_arrived(what: str) -> None:
        eventually(lambda: set(arrived()) >= set(written), f"the lines {what}")

    KafkaPython(broker.bootstrap).create_topic(topic)
    write()
    common = {"tasks_max": "1"}
    worker.configure(
        "source",
        connector_class=f"{CONNECTORS}SourceConnector",
        file=str(source),
        topic=topic,
        **common,
    )
    worker.configure(
        "sink", connector_class=f"{CONNECTORS}SinkConnector", file=str(sink), topics=topic, **common
    )
    for name in ("source", "sink"):
        eventually(lambda name=name: worker.is_running(name), f"{name} runs")
    all_arrived("from the start")
    assert arrived() == written

    if broker.owned:
        broker.restart()
        write()
        all_arrived("after the broker's restart")
        # Only what was not yet committed may come again, and never out of order.
        assert list(dict.fromkeys(arrived())) == written

    worker.kill()
    write()
    worker.start()
    for name in ("source", "sink"):
        eventually(lambda name=name: worker.is_running(name), f"{name} runs again")
    all_arrived("after the worker was killed")
    assert list(dict.fromkeys(arrived())) == written
    assert sorted(worker.ask("/connectors")) == ["sink", "source"]
