"""The programs and sessions that docs/ shows: taken from its pages and run as they stand there.

A fence of a programming language is a program; the fence `text` after it is all that it prints. A
fence `console` is a session of a shell: what comes after "$ " is typed, the rest is printed. There
"..." stands for anything within a line. Addresses are exchanged for those of the test's
own broker, nothing else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[2] / "docs"
ADDRESS = "127.0.0.1:9092"
RUN_TIMEOUT_S = 120.0
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


class Program(NamedTuple):
    text: str
    prints: str


class Command(NamedTuple):
    text: str
    prints: list[str]


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def fences(page: str, section: str) -> list[tuple[str, str]]:
    """(language, text) of a page's section."""
    parts = HEADING.split(read(page))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return [(each[1], each[2]) for each in FENCE.finditer(sections[section])]


def program(page: str, section: str, language: str) -> Program:
    (first, text), (second, prints) = fences(page, section)
    assert (first, second) == (language, "text")
    return Program(text, prints)


def sections(page: str) -> list[str]:
    return HEADING.findall(read(page))


def session(page: str) -> list[Command]:
    """Every command that a page shows, in its order."""
    return [
        command
        for each in FENCE.finditer(read(page))
        if each[1] == "console"
        for command in commands(each[2])
    ]


def commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        typed = [lines.pop(0)]
        while typed[-1].endswith("\\"):
            typed.append(lines.pop(0))
        yield Command("\n".join(typed), lines)


def at(bootstrap: str, text: str) -> str:
    return text.replace(ADDRESS, bootstrap)


def check(command: list[str], prints: str, folder: Path = DOCS) -> None:
    """Run it, and hold what it prints against the page."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stderr}"
    assert done.stdout == prints, done.stderr


def check_session(page: str, bootstrap: str, folder: Path) -> None:
    """Type all that a page has one type, and hold what is printed against it."""
    shown = session(page)
    assert shown
    for command in shown:
        printed = typed(command.text, bootstrap, folder)
        assert all_printed(command.prints, printed), "\n".join([f"$ {command.text}", *printed])


def typed(command: str, bootstrap: str, folder: Path) -> list[str]:
    """The lines that a shell prints, with our own commands on its path."""
    programs = Path(sys.executable).parent
    done = subprocess.run(
        ["sh", "-c", at(bootstrap, command)],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "GODEL_BOOTSTRAP": bootstrap,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    return done.stdout.replace(bootstrap, ADDRESS).splitlines()


def is_printed(shown: str, line: str) -> bool:
    """Whether a line is what the page shows, columns being as wide as they need to be."""
    pattern = r"\s+".join(re.escape(word).replace(r"\.\.\.", ".+") for word in shown.split())
    return re.fullmatch(pattern, line.strip()) is not None


def all_printed(shown: list[str], printed: list[str]) -> bool:
    """Lines of records of several partitions come in any order."""
    left = list(printed)
    for line in shown:
        match = next((each for each in left if is_printed(line, each)), None)
        if match is None:
            return False
        left.remove(match)
    return not left
