"""What one test of a suite gave, here and on Apache Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REFERENCE = Path(__file__).with_name("reference")
OUTCOMES = ("pass", "fail", "skip")


@dataclass(frozen=True)
class Result:
    name: str
    outcome: str  # pass, fail, skip
    seconds: float
    reason: str = ""  # why it did not pass, in one line, as the suite says it

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"{self.name}: {self.outcome!r} is no outcome")


def reference(suite: str) -> dict[str, str]:
    """What Apache Kafka gives, by test name."""
    path = REFERENCE / f"{suite}.tsv"
    rows = path.read_text().splitlines() if path.exists() else []
    return dict(row.split("\t") for row in rows)


def write_reference(suite: str, results: Iterable[Result]) -> None:
    lines = (f"{result.name}\t{result.outcome}\n" for result in results)
    (REFERENCE / f"{suite}.tsv").write_text("".join(sorted(lines)))


def one_line(text: str, limit: int = 160) -> str:
    """The first line that says something, made fit for a cell of a table."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    line = " ".join(line.split()).replace("|", "/")
    return line if len(line) <= limit else line[: limit - 3] + "..."
