"""The page of the command line `godel`, from the declarations of its commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from godel.cli import exits, output, profile
from godel.cli.help_page import examples_of, sections, usage
from godel.cli.main import build
from godel.cli.session import COMMON

INTRODUCTION = (
    "`godel` works with Gödel and with Apache Kafka. What stands here is what `--help` says; "
    "`compat_tests/cli/` holds the commands against both."
)


def parts() -> Iterator[str]:
    """The paragraphs of the page."""
    root: Any = typer.main.get_command(build())
    with root.make_context("godel", [], resilient_parsing=True) as context:
        yield INTRODUCTION
        yield "## Options of every command"
        yield "They stand before the command or behind it."
        yield options(root, context, {COMMON})
        yield (
            "`godel --version` shows the version, and `godel --install-completion` teaches the "
            "shell to complete commands, options, topics and groups."
        )
        yield "## The profile file"
        yield from (profile.__doc__ or "").strip().split("\n\n")[1:]
        yield "## Output"
        yield "\n".join((output.__doc__ or "").strip().split("\n\n")[1:])
        yield "## Exit statuses"
        yield exit_statuses()
        for name, command in root.commands.items():
            yield from described(command, child(context, name, command), "##")


def child(context: Any, name: str, command: Any) -> Any:
    return type(context)(command, info_name=name, parent=context)


def described(command: Any, context: Any, level: str) -> Iterator[str]:
    """A command, or a group of commands and then each of them."""
    yield f"{level} {context.command_path}"
    yield command.help or ""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from described(each, child(context, name, each), f"{level}#")
        return
    yield f"    {usage(command, context)}"
    titles = {title for title, _ in sections(command, context)} - {COMMON}
    yield options(command, context, titles)
    yield "```sh\n" + "\n".join(examples_of(command)) + "\n```"


def options(command: Any, context: Any, titles: set[str]) -> str:
    """A table of the arguments and options under these titles."""
    rows = [
        (f"`{name.strip()}`", told)
        for title, listed in sections(command, context)
        if title in titles
        for name, told in listed
        if "--help" not in name
    ]
    lines = ["| | |", "|---|---|"]
    lines += [f"| {escape(name)} | {escape(told)} |" for name, told in rows]
    return "\n".join(lines) if rows else ""


def escape(cell: str) -> str:
    return cell.replace("|", "\\|")


def exit_statuses() -> str:
    """As the module of the exit statuses documents them; a test holds them against it."""
    lines = (exits.__doc__ or "").split("\n\n")[1].splitlines()
    rows = [line.split(maxsplit=1) for line in lines]
    return "\n".join(
        ["| status | meaning |", "|---|---|", *(f"| {n} | {told} |" for n, told in rows)]
    )
