"""Commands against a broker whose time stands still, and transcripts of what they print.

A transcript has commands behind `$`, lines of their standard input behind `<`, what they print,
what goes to standard error behind `!`, and behind `=` an exit status other than 0. The port of the
broker reads PORT. `RECORD_TRANSCRIPTS=1 pytest tests/cli` writes down what is printed now, to be
reviewed as a diff.
"""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from godel.cli.main import main
from godel.testing import Broker
from tests.client.conftest import StandingClock

FOLDER = Path(__file__).parent / "transcripts"


@dataclass(frozen=True)
class Result:
    """What a command did."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands see the time at which the broker stands still."""
    monkeypatch.setattr("godel.cli.session.SystemClock", StandingClock)


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("GODEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run `godel` in this process."""

    def run(*words: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capfdbinary.readouterr()
        status = main(words)
        out, err = capfdbinary.readouterr()
        return Result(status, out.decode(errors="backslashreplace"), err.decode())

    return run


@pytest.fixture
def godel(broker: Broker, command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `godel` with the broker as bootstrap."""
    monkeypatch.setenv("GODEL_BOOTSTRAP", broker.bootstrap_servers)
    return command


@pytest.fixture
def transcript(godel: Command, broker: Broker) -> Callable[[str], None]:
    """Hold a transcript against what is printed."""
    port = broker.bootstrap_servers.rpartition(":")[2]

    def check(name: str) -> None:
        path = FOLDER / f"{name}.txt"
        recorded = path.read_text(encoding="utf-8")
        printed = replay(recorded, godel).replace(port, "PORT")
        if os.environ.get("RECORD_TRANSCRIPTS"):
            path.write_text(printed, encoding="utf-8")
        else:
            assert printed == recorded

    return check


def replay(recorded: str, godel: Command) -> str:
    """The transcript with what its commands print now; lines of `#` are remarks."""
    printed: list[str] = []
    for block in recorded.split("$ ")[1:]:
        line, *rest = block.splitlines()
        given = [each[2:] for each in rest if each.startswith("< ")]
        remarks = [each for each in rest if each.startswith("# ")]
        stdin = "".join(f"{each}\n" for each in given).encode()
        result = godel(*shlex.split(line), stdin=stdin)
        printed += [f"$ {line}", *(f"< {each}" for each in given), *result.out.splitlines()]
        printed += [f"! {each}" for each in result.err.splitlines()]
        if result.status:
            printed.append(f"= {result.status}")
        printed += ["", *remarks]
    return "\n".join(printed).strip() + "\n"
