"""examples/flights as a reader runs it; and once more with the broker killed in the middle."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from compat_tests.brokers import Broker
from compat_tests.requirements import need_module

need_module("confluent_kafka")

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "flights" / "run.py"
KILL_AT = 100_000
TIMEOUT_S = 180


def run(broker: Broker, *, kill: bool) -> str:
    """The example's output; the broker is killed when a third of the flights is acknowledged."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), broker.bootstrap],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = threading.Timer(TIMEOUT_S, process.kill)
    deadline.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if kill and line.startswith(f"{KILL_AT} flights"):
                broker.kill_and_restart()
        status = process.wait()
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
    output = "".join(lines)
    assert status == 0, output
    return output


def check(output: str) -> None:
    assert "336776 flights acknowledged" in output
    assert "336,776 flights: equal to the data set." in output
    assert "Hawaiian Airlines Inc." in output


def test_the_flights_come_through(broker: Broker) -> None:
    check(run(broker, kill=False))


def test_the_flights_come_through_when_the_broker_is_killed_in_the_middle(broker: Broker) -> None:
    if not broker.owned:
        pytest.skip("the broker is not ours to kill (GODEL_COMPAT_BOOTSTRAP)")
    check(run(broker, kill=True))
