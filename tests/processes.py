"""The daemon as a process of its own, and clients of it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.wire import Client

PATIENCE_S = 20.0


class Process:
    """`godel-broker` as an operator starts it."""

    def __init__(self, data: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "godel.daemon", "--data", str(data)]
        self.process = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []

    def ready(self) -> int:
        """The port, once it serves."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == "broker_ready":
                return int(self.events[-1]["listens_on"].rpartition(":")[2])
        raise AssertionError(f"it ended with status {self.process.wait()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert out == ""
        self.events += [json.loads(line) for line in err.splitlines()]
        return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Remote(Client):
    """A client of a broker in another process."""

    def __init__(self, port: int) -> None:
        self.client_id = "tester"
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._correlation_id = 0
