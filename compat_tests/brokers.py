"""The broker under test, as a process that the tests start, stop, kill and start again.

Which broker: `godel-broker` of this environment; or any command in GODEL_COMPAT_COMMAND (with
{host}, {port} and {data} in it), so that the tests can be held against Apache Kafka; or one that
runs already, named by GODEL_COMPAT_BOOTSTRAP (then nothing is started and restarts are skipped).
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def godel_command() -> str:
    beside_python = Path(sys.executable).with_name("godel-broker")
    program = str(beside_python) if beside_python.exists() else shutil.which("godel-broker")
    if program is None:
        pytest.fail("godel-broker is not installed: pip install -e . (or make run)", pytrace=False)
    return (
        f"{shlex.quote(program)} --data {{data}} --listen {{host}}:{{port}}"
        " --set group.initial.rebalance.delay.ms=0"
    )


def is_ready(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether the broker at the address knows of itself: Kafka answers some time before it does."""
    correlation_id = 7
    body = struct.pack(">hhihi", 3, 1, correlation_id, -1, 0)  # Metadata v1, of no topics
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            size_bytes = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
            answer = connection.recv(size_bytes, socket.MSG_WAITALL)
            answered, brokers = struct.unpack_from(">ii", answer)
    except (OSError, struct.error):
        return False
    return answered == correlation_id and brokers > 0


class BrokerProcess:
    """One broker: a port and a data folder for life, a process that comes and goes."""

    owned = True

    def __init__(self, folder: Path, command: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.bootstrap = f"{HOST}:{self.port}"
        self.data = folder / "data"
        self.log = folder / "broker.log"
        command = command or os.environ.get("GODEL_COMPAT_COMMAND") or godel_command()
        self.command = shlex.split(
            command.format(host=HOST, port=self.port, data=shlex.quote(str(self.data)))
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not is_ready(HOST, self.port):
            status = self.process.poll()
            if status is not None:
                raise AssertionError(f"the broker ended with {status}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the broker does not answer:\n{self.log_tail()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask politely (SIGTERM) and expect a clean end."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the broker ignores SIGTERM:\n{self.log_tail()}") from None
        self.process = None
        # A JVM that ends by its shutdown hook reports the signal, 128 + 15.
        assert status in (0, 143), f"the broker ended with {status}:\n{self.log_tail()}"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill_and_restart(self) -> None:
        self.kill()
        self.start()

    def log_tail(self, lines: int = 40) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class RunningBroker:
    """A broker that somebody else started; its life is not ours to end."""

    owned = False

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def log_tail(self) -> str:
        return ""

    def stop(self) -> None:
        pass

    def restart(self) -> None:
        pytest.skip("the broker is not ours to restart (GODEL_COMPAT_BOOTSTRAP)")

    kill_and_restart = restart


Broker = BrokerProcess | RunningBroker


def broker_under_test(folder: Path) -> Broker:
    bootstrap = os.environ.get("GODEL_COMPAT_BOOTSTRAP")
    if bootstrap:
        return RunningBroker(bootstrap)
    broker = BrokerProcess(folder)
    broker.start()
    return broker
