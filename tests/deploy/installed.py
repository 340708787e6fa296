"""One round with the two installed commands: start, create, produce, consume, stop."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.tools import run

PATIENCE_S = 30.0


def exercise(programs: Path, data: Path) -> None:
    with running(programs / "godel-broker", "--data", data, "--listen", "127.0.0.1:0") as bootstrap:
        round_trip([programs / "godel"], bootstrap)


def round_trip(godel: Sequence[str | Path], bootstrap: str) -> None:
    """Through the command line, as a person would."""
    at = ("--bootstrap", bootstrap)
    run(*godel, "topics", "create", "flights", "--partitions", "2", *at)
    produce = [*map(str, godel), "produce", "flights", "--key-separator", ":", *at]
    subprocess.run(produce, input="N14228:EWR-IAH\n", text=True, check=True, timeout=PATIENCE_S)
    consume = ("consume", "flights", "--from", "beginning", "--until", "end", "--output", "json")
    (line,) = run(*godel, *consume, *at).splitlines()
    record = json.loads(line)
    assert (record["key"], record["value"], record["offset"]) == ("N14228", "EWR-IAH", 0)


@contextmanager
def running(*command: str | Path) -> Iterator[str]:
    """A broker; yields its address, and asks it to stop at the end, which it must do in order."""
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "broker_ready":
                yield event["listens_on"]
                break
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, rest
        assert json.loads(rest.splitlines()[-1])["event"] == "broker_stopped"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
