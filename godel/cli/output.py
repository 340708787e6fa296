"""What commands print: rows as a table, JSON or YAML.

JSON and YAML carry every key of a row with its raw value; a table shows the columns that were
chosen, for people. Tables are plain text without frames, the same on a terminal and in a pipe; only
the heading is bold on a terminal. Results go to standard output, everything said about them
(progress, warnings, errors, questions) to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TextIO, TypeAlias

Row: TypeAlias = Mapping[str, Any]

BOLD, RED, YELLOW, RESET = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
GAP = "  "


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Column(NamedTuple):
    """One column of a table: which key of a row, and how it is shown."""

    key: str
    text: Callable[[Any], str] | None = None
    right: bool = False
    title: str | None = None

    @property
    def heading(self) -> str:
        return (self.title or self.key).upper().replace("_", "-")

    def cell(self, row: Row) -> str:
        value = row.get(self.key)
        return shown(value) if self.text is None or value is None else self.text(value)


class Section(NamedTuple):
    """A part of a description: `key` names a list of rows in it."""

    key: str
    columns: Sequence[Column]


def columns(*keys: str | Column) -> list[Column]:
    """Columns that need nothing special, by their key; a leading `>` sets it to the right."""
    return [
        key if isinstance(key, Column) else Column(key.removeprefix(">"), right=key.startswith(">"))
        for key in keys
    ]


def show_rows(form: Format, rows: Iterable[Row], layout: Sequence[Column]) -> None:
    """A list of things."""
    listed = [dict(row) for row in rows]
    if form is Format.TABLE:
        write("\n".join(table(listed, layout)) + "\n")
    else:
        show_value(form, listed)


def show_description(
    form: Format, row: Row, layout: Sequence[Column], sections: Sequence[Section] = ()
) -> None:
    """One thing: its facts under each other, then the lists that belong to it."""
    if form is not Format.TABLE:
        show_value(form, dict(row))
        return
    width = max(len(column.heading) for column in layout)
    lines = [f"{column.heading:{width}}{GAP}{column.cell(row)}".rstrip() for column in layout]
    for section in sections:
        if row.get(section.key):
            lines += ["", *table(row[section.key], section.columns)]
    write("\n".join(lines) + "\n")


def show_value(form: Format, value: Any) -> None:
    """A value as JSON or YAML."""
    if form is Format.YAML:
        import yaml  # few ask for it

        write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    else:
        write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(rows: Sequence[Row], layout: Sequence[Column]) -> list[str]:
    """Lines of aligned text under a heading."""
    cells = [[column.cell(row) for column in layout] for row in rows]
    widths = [
        max(len(column.heading), *(len(line[at]) for line in cells), 0)
        for at, column in enumerate(layout)
    ]
    heading = _line([column.heading for column in layout], layout, widths)
    body = [_line(line, layout, widths) for line in cells]
    return [styled(heading, BOLD, sys.stdout), *body]


def _line(cells: Sequence[str], layout: Sequence[Column], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(cells, layout, widths, strict=True)
    ]
    return GAP.join(aligned).rstrip()


def shown(value: Any) -> str:
    """A value in a table."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return one_line(str(value))


def one_line(text: str) -> str:
    """Text that cannot disturb a terminal or a table: control characters are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size(size_bytes: int) -> str:
    """Bytes for people: 1.5 MiB."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    value, units = size_bytes / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.1f} {units[0]}"


# -- streams --------------------------------------------------------------------------------------


def write(text: str) -> None:
    """To standard output, at once: whoever reads a pipe sees it."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_bytes(raw: bytes) -> None:
    """Bytes as they are to standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)


def say(text: str) -> None:
    """A word about what goes on, to standard error."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    say(f"{styled('warning:', YELLOW, sys.stderr)} {text}")


def complain(text: str, hint: str | None = None) -> None:
    """An error, and what to do about it."""
    say(f"{styled('error:', RED, sys.stderr)} {text}")
    if hint:
        say(f"hint: {hint}")


def styled(text: str, style: str, stream: TextIO) -> str:
    return f"{style}{text}{RESET}" if has_colours(stream) else text


def has_colours(stream: TextIO) -> bool:
    """Colours are for terminals, and for those who have not declined them (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
