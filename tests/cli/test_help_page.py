"""The help of commands, as text."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from godel.cli.help_page import COLUMN, WIDTH, listing, page
from godel.cli.main import build
from tests.cli.conftest import Command

EXPECTED = """\
Usage: godel topics partitions [OPTIONS] [PATTERN]

List partitions: leaders, replicas, offsets and sizes.

Arguments:
  [PATTERN]  Only these: a name with * and ?, quoted.

Options:
  -r, --regex             PATTERN is a regular expression for the whole name.
  -i, --internal          Internal topics, too.
      --under-replicated  Only those that lack a replica.
      --under-min-isr     Only those below min.insync.replicas.
      --unavailable       Only those without a leader.
  -h, --help              Show this message and exit.

Common options:
  -o, --output table|json|yaml   How results are written. [default: table; env: GODEL_OUTPUT]
  -b, --bootstrap HOST:PORT,...  Brokers to ask first. [default: 127.0.0.1:9092; env:
                                 GODEL_BOOTSTRAP]
      --profile NAME             A profile of ~/.config/godel/config.toml. [env: GODEL_PROFILE]
      --timeout SECONDS          How long to try before giving up. [default: 30; env: GODEL_TIMEOUT]
      --debug                    Show tracebacks. [env: GODEL_DEBUG]

Examples:
  godel topics partitions flights
  godel topics partitions --under-replicated
  godel topics partitions 'flights-*' --under-min-isr
"""


def test_the_page_of_a_command(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = command("topics", "partitions", "--help")
    assert (result.status, result.out.rstrip("\n")) == (0, EXPECTED.rstrip("\n"))


def test_a_narrow_terminal_gets_narrow_lines(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    result = command("consume", "--help")
    help_lines = result.out.partition("Examples:")[0].splitlines()
    assert max(map(len, help_lines)) <= 70


def everything() -> list[tuple[str, Any, Any]]:
    """Each command with its path and a context."""
    root: Any = typer.main.get_command(build())
    found = []

    def walk(each: Any, context: Any) -> None:
        found.append((context.command_path, each, context))
        for name, inner in getattr(each, "commands", {}).items():
            walk(inner, type(context)(inner, info_name=name, parent=context))

    with root.make_context("godel", [], resilient_parsing=True) as context:
        walk(root, context)
    return found


def test_every_page_fits_and_its_examples_are_of_its_command() -> None:
    for path, each, context in everything():
        text = page(each, context)
        assert max(map(len, text.splitlines())) <= WIDTH, path
        if each.epilog:
            assert path in text.partition("Examples:")[2], path


def test_a_long_name_has_a_line_of_its_own() -> None:
    long = "x" * (COLUMN + 1)
    assert listing([("a", "short"), (long, "told below")], 80)[1:] == [
        f"  {long}",
        f"  {'':{COLUMN}}  told below",
    ]
