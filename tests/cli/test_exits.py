"""Exit statuses, and what is said with them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from godel.cli import exits
from godel.cli.exits import (
    Refused,
    Status,
    end_with_failures,
    explained,
    explaining,
    main_with_status,
)
from godel.client.connection import Address, ConnectionFailed, UnsupportedApi
from godel.client.outcomes import NotFound, Outcome
from godel.errors import ApiError, ErrorCode
from godel.testing import Broker
from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("topic", "x"), Status.NOT_FOUND),
        (ApiError(ErrorCode.GROUP_ID_NOT_FOUND), Status.NOT_FOUND),
        (ApiError(ErrorCode.INVALID_REQUEST), Status.FAILED),
        (ApiError(ErrorCode.REQUEST_TIMED_OUT), Status.UNREACHABLE),
        (ConnectionFailed(Address("a", 1), "no"), Status.UNREACHABLE),
        (UnsupportedApi("x"), Status.FAILED),
        (Refused("x", status=Status.WRONG_USAGE), Status.WRONG_USAGE),
        (RuntimeError("bug"), Status.FAILED),
    ],
)
def test_every_error_has_a_status(error: Exception, status: Status) -> None:
    assert explained(error)[2] is status


def test_the_nearest_name_is_a_hint() -> None:
    assert explained(NotFound("topic", "flihgts", ["flights", "x"]))[1] == "did you mean flights?"


def test_the_brokers_words_come_with_kafkas_name() -> None:
    error = ApiError(ErrorCode.INVALID_CONFIG, "no such key")
    assert explained(error)[0] == "no such key (INVALID_CONFIG)"


def test_a_storage_error_without_words_is_one_of_two() -> None:
    """Kafka has one code for a disk that is full and one that failed."""
    message, _, _ = explained(ApiError(ErrorCode.KAFKA_STORAGE_ERROR))
    assert "is full or has failed" in message


def test_failures_are_told_after_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    end_with_failures([])
    with pytest.raises(typer.Exit) as end:
        end_with_failures([Outcome.of("flights", 3), Outcome.of("x", 42)])
    assert end.value.exit_code == Status.NOT_FOUND
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "error: flights: there is no such topic or partition (UNKNOWN_TOPIC_OR_PARTITION)",
        "error: x: INVALID_REQUEST",
    ]


def test_a_failure_names_what_was_probably_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        end_with_failures([Outcome.of("baord", 69)], ["board", "display"])
    assert "hint: did you mean board?" in capsys.readouterr().err


def test_a_file_error_says_which_file() -> None:
    message, _, status = explained(FileNotFoundError(2, "No such file or directory", "a.jsonl"))
    assert (message, status) == ("a.jsonl: no such file or directory", Status.NOT_FOUND)
    assert explained(OSError(28, "No space left on device", "a"))[2] is Status.FAILED


def test_tracebacks_are_for_those_who_ask() -> None:
    with pytest.raises(typer.Exit), explaining(debug=False):
        raise RuntimeError("bug")
    with pytest.raises(RuntimeError), explaining(debug=True):
        raise RuntimeError("bug")


def test_the_program_ends_with_its_status() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert main_with_status(lambda: None) == 0
    assert main_with_status(lambda: sys.exit(3)) == 3
    assert main_with_status(interrupted) == Status.INTERRUPTED


def test_nobody_reached(command: Command) -> None:
    result = command("topics", "list", "--bootstrap", "127.0.0.1:1")
    assert result.status == Status.UNREACHABLE
    assert "cannot talk to 127.0.0.1:1: connection refused" in result.err
    assert "GODEL_BOOTSTRAP" in result.err
    assert "Traceback" not in result.err


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(broker: Broker) -> None:
    """Standard output is a pipe of which nobody reads the other end."""
    program = Path(sys.executable).with_name("godel")
    words = [str(program), "topics", "list", "--bootstrap", broker.bootstrap_servers]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == Status.BROKEN_PIPE
        assert process.stderr.read() == b""


def test_what_went_wrong(
    transcript: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    transcript("errors")


def test_the_documented_statuses_are_the_statuses() -> None:
    """The module's docstring is the page that people read: docs/generated/cli.md quotes it."""
    documented = re.findall(r"^(\d+) ", exits.__doc__ or "", re.MULTILINE)
    assert [int(each) for each in documented] == [int(each) for each in Status]
