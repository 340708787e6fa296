"""The help of a command, as text: `--help` prints it, docs/generate.py makes a page of it.

Plain and narrow like everything that commands print, and the same whatever version of typer draws
its own. It follows from the declarations: options in groups, values by their metavar, defaults,
environment variables, and the examples of the epilog.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from typer.core import TyperCommand, TyperGroup

from godel.cli.output import BOLD, styled

WIDTH, NARROWEST = 100, 60
COLUMN = 30
"""Names up to this long have their description beside them."""
EXAMPLES = "Examples:"
OPTIONS = "Options"


class Command(TyperCommand):
    """A command with our help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page(self, ctx, width=terminal_width(), headings=True))


class Group(TyperGroup):
    """A group of commands with our help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page(self, ctx, width=terminal_width(), headings=True))


def terminal_width() -> int:
    return max(min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH), NARROWEST)


def page(command: Any, context: Any, *, width: int = WIDTH, headings: bool = False) -> str:
    """The help of a command. `headings`: bold ones, where standard output is a terminal."""

    def heading(text: str) -> str:
        return styled(text, BOLD, sys.stdout) if headings else text

    parts = [
        f"{heading('Usage:')} {usage(command, context)}",
        *paragraphs(command.help or "", width),
    ]
    for title, rows in sections(command, context):
        parts.append("\n".join([heading(f"{title}:"), *listing(rows, width)]))
    if command.epilog:
        examples = [f"  {line}" for line in examples_of(command)]
        parts.append("\n".join([heading(EXAMPLES), *examples]))
    return "\n\n".join(parts) + "\n"


def usage(command: Any, context: Any) -> str:
    """`godel topics list [OPTIONS] [PATTERN]`."""
    words = [context.command_path, "[OPTIONS]"]
    if hasattr(command, "commands"):
        words.append("COMMAND ...")
    words += [placeholder(param) for param in command.params if is_argument(param)]
    return " ".join(words)


def placeholder(param: Any) -> str:
    """An argument as it stands in the usage: `TOPIC...`, `[FILE]`."""
    name = f"{metavar(param)}{'...' if param.nargs != 1 else ''}"
    return name if param.required else f"[{name}]"


def paragraphs(text: str, width: int) -> list[str]:
    return [textwrap.fill(part, width) for part in text.split("\n\n") if part.strip()]


def sections(command: Any, context: Any) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Titles, and rows of a name and what it is."""
    if hasattr(command, "commands"):
        yield "Commands", [(name, first_sentence(each)) for name, each in command.commands.items()]
    arguments = [
        (placeholder(each), each.help or "") for each in command.params if is_argument(each)
    ]
    if arguments:
        yield "Arguments", arguments
    panels: dict[str, list[tuple[str, str]]] = {OPTIONS: []}
    for param in command.get_params(context):
        if not is_argument(param) and not param.hidden:
            title = getattr(param, "rich_help_panel", None) or OPTIONS
            panels.setdefault(title, []).append((names(param), description(param)))
    yield from ((title, rows) for title, rows in panels.items() if rows)


def is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def first_sentence(command: Any) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".") + "."


def names(param: Any) -> str:
    """`-o, --output table|json|yaml`."""
    short = [each for each in param.opts if not each.startswith("--")]
    long = [each for each in param.opts if each.startswith("--")] + list(param.secondary_opts)
    indent = "" if short else "    "
    value = "" if param.is_flag else f" {metavar(param)}"
    return f"{indent}{', '.join([*short, *long])}{value}"


def metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def description(param: Any) -> str:
    """What an option does, its default and its variable."""
    notes = []
    if default := default_of(param):
        notes.append(f"default: {default}")
    if param.envvar:
        notes.append(f"env: {param.envvar}")
    told = param.help or ""
    return f"{told} [{'; '.join(notes)}]" if notes else told


def default_of(param: Any) -> str:
    if isinstance(param.show_default, str):
        return param.show_default
    default = param.default
    if param.is_flag or not param.show_default or not isinstance(default, str | int | float | Enum):
        return ""
    return str(default.value if isinstance(default, Enum) else default)


def listing(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Names on the left, what they are on the right; a long name gets a line of its own."""
    longest = min(max(len(name) for name, _ in rows), COLUMN)
    lines = []
    for name, told in rows:
        wrapped = textwrap.wrap(told, width - longest - 4) or [""]
        if len(name) > longest:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {name:{longest}}  {wrapped.pop(0)}".rstrip())
        lines += [f"  {'':{longest}}  {line}" for line in wrapped]
    return lines


def examples_of(command: Any) -> list[str]:
    return [line for line in (command.epilog or "").split("\n\n")[1:] if line]
