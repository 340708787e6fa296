"""The program: its parts, and what it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from godel import __version__
from godel.cli.main import NOUNS, VERBS, build
from tests.cli.conftest import Command


def test_the_version(command: Command) -> None:
    assert command("--version").out == f"godel {__version__}\n"


def test_help_names_every_command(command: Command) -> None:
    shown = command("--help").out
    assert all(name in shown for name in NOUNS | VERBS)


def test_a_wrong_command_comes_with_the_right_one(command: Command) -> None:
    result = command("tpics", "list")
    assert result.status == 2
    assert result.err == (
        "error: no such command 'tpics'. Did you mean 'topics'?\nhint: godel --help\n"
    )
    assert "--output" in command("topics", "list", "--outptu", "json").err


def test_without_a_command_the_help_is_shown(command: Command) -> None:
    for words in ((), ("topics",)):
        result = command(*words)
        assert result.status == 2
        assert result.err.startswith(" ".join(("Usage: godel", *words, "[OPTIONS] COMMAND")))


def test_every_command_has_a_help_of_its_own() -> None:
    for name, group in typer.main.get_command(build()).commands.items():  # type: ignore[attr-defined]  # a group
        for command in getattr(group, "commands", {name: group}).values():
            assert command.help, command.name
            assert "Examples:" in command.epilog, command.name


@pytest.mark.slow
def test_listing_topics_imports_only_what_it_needs() -> None:
    code = """
import sys
from godel.cli.main import main
main(["topics", "list", "--bootstrap", "127.0.0.1:1"])
print([name for name in ("rich", "yaml", "cramjam", "uvloop", "godel.handlers")
       if name in sys.modules])
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"
