"""The frame of commands: options, profile, questions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer

from godel.cli import session
from godel.cli.exits import Refused
from godel.cli.output import Format
from godel.cli.session import DEFAULT_BOOTSTRAP, Session, confirm, key_values
from godel.testing import Broker
from tests.cli.conftest import Command


def chosen(**options: object) -> Session:
    given = {"output": None, "bootstrap": None, "profile_name": None, "timeout_s": None}
    return Session.of(**(given | options))  # type: ignore[arg-type]  # options by name


def test_flags_over_profile_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen().bootstrap == DEFAULT_BOOTSTRAP
    assert chosen().is_for_people
    file = tmp_path / "config.toml"
    file.write_text('bootstrap = "a:1"\noutput = "yaml"\ntimeout = 2\n')
    monkeypatch.setenv("GODEL_CONFIG", str(file))
    of_file = chosen()
    assert (of_file.bootstrap, of_file.format, of_file.timeout_ms) == ("a:1", Format.YAML, 2000)
    assert chosen(bootstrap="b:2", output=Format.JSON).bootstrap == "b:2"


def test_a_bad_profile_is_wrong_usage(command: Command) -> None:
    result = command("topics", "list", "--profile", "nowhere")
    assert result.status == 2
    assert "profile nowhere" in result.err


def test_every_command_has_examples_and_the_common_options(command: Command) -> None:
    shown = command("topics", "create", "--help").out
    for expected in ("Examples:", "godel topics create flights", "--output", "--bootstrap"):
        assert expected in shown


def test_pairs() -> None:
    assert key_values(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(typer.BadParameter, match="is not KEY=VALUE"):
        key_values(["a"])


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    confirm("Sure?", yes=True)
    with pytest.raises(Refused, match="Nobody is there"):
        confirm("Sure?", yes=False)


def test_examples_are_paragraphs() -> None:
    assert session.epilog(["a", "b"]) == "Examples:\n\na\n\nb"


def test_common_options_may_stand_before_the_command(command: Command, broker: Broker) -> None:
    words = ("--bootstrap", broker.bootstrap_servers, "-o", "json", "topics", "list")
    assert command(*words).out == "[]\n"


def test_behind_the_command_they_win(
    command: Command, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GODEL_BOOTSTRAP", "127.0.0.1:1")
    at = ("--bootstrap", broker.bootstrap_servers)
    assert command(*at, "topics", "list").status == 0
    assert command(*at, "topics", "list", "--bootstrap", "127.0.0.1:1").status == 3
    assert command("--bootstrap", "127.0.0.1:1", "topics", "list", *at).status == 0
