"""EXPECTED.md: what each suite gave here beside what Apache Kafka gives; written, read, compared.

One section per suite, one row per test. The reason of a row that does not pass is the suite's own
words, or ours where `reasons.tsv` has a pattern for it (suite, name with * as wildcard, reason).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from compat_tests.suites.results import OUTCOMES, Result, reference

HERE = Path(__file__).parent
PAGE = HERE.parent / "EXPECTED.md"
REASONS = HERE / "reasons.tsv"
HEAD = """\
# What other people's test suites give

Written by `python -m compat_tests.suites NAME`, and compared with by `make compat`; do not edit.
The suites are fetched as published and run against a freshly started broker. *Kafka*: what Apache
Kafka 4.3.1 gives on one node in the same harness (`make compat-reference`), `-` where that was not
measured.
"""
ROW = re.compile(r"^\| (?P<name>.+?) \| (?P<here>\w+) \| (?P<kafka>[\w-]+) \| (?P<reason>.*) \|$")


@dataclass
class Differences:
    """What a run says: only a regression is a failure."""

    regressions: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield from (f"REGRESSION {line}" for line in self.regressions)
        yield from (f"new        {line}" for line in self.news)
        if not self.regressions:
            yield "no regression"


def summary(results: Iterable[Result]) -> str:
    return counted(Counter(result.outcome for result in results))


def counted(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{outcomes.get(outcome, 0)} {outcome}" for outcome in OUTCOMES)


def regressed(suite: str, results: Iterable[Result]) -> list[str]:
    """Names of what is worse than the page says."""
    before, kafka = read(suite), reference(suite)
    return [r.name for r in results if is_worse(r.outcome, before.get(r.name), kafka.get(r.name))]


def is_worse(outcome: str, before: str | None, kafka: str | None = None) -> bool:
    """What fails on Kafka, too, may pass here by luck, and then not."""
    if outcome == kafka == "fail":
        return False
    return outcome != before and (outcome == "fail" or before == "pass")


def compare(suite: str, results: list[Result], *, partly: bool = False) -> Differences:
    """What differs from the page; `partly`: what did not run is nobody's fault."""
    before, kafka = read(suite), reference(suite)
    differences = Differences()
    for result in results:
        was = before.get(result.name, "unknown")
        line = f"{result.name}: {result.outcome}, was {was} {result.reason}".rstrip()
        if is_worse(result.outcome, was, kafka.get(result.name)):
            differences.regressions.append(line)
        elif result.outcome != was:
            differences.news.append(line)
    if not partly:
        for name in before.keys() - {result.name for result in results}:
            if before[name] == "pass":
                differences.regressions.append(f"{name}: did not run")
    return differences


def read(suite: str) -> dict[str, str]:
    """What is expected, by name; nothing where the suite has no section yet."""
    return {result.name: result.outcome for result in written(suite)}


def written(suite: str) -> list[Result]:
    rows = (ROW.match(line) for line in sections().get(suite, "").splitlines())
    return [
        Result(row["name"], row["here"], 0.0, row["reason"])
        for row in rows
        if row and row["here"] in OUTCOMES
    ]


def show_reference(suite: str) -> None:
    """What is written of us stays; beside it stands what Kafka gives now."""
    write(suite, written(suite))


def write(suite: str, results: list[Result]) -> None:
    parts = sections() | {suite: section(suite, results)}
    PAGE.write_text(HEAD + "".join(f"\n## {name}\n\n{parts[name]}\n" for name in sorted(parts)))


def sections() -> dict[str, str]:
    if not PAGE.exists():
        return {}
    parts = PAGE.read_text().split("\n## ")[1:]
    return {name: body.strip() for name, _, body in (part.partition("\n") for part in parts)}


def section(suite: str, results: list[Result]) -> str:
    kafka = reference(suite)
    patterns = reasons(suite)
    lines = [
        f"Here {summary(results)}; Apache Kafka {counted(Counter(kafka.values()))}.",
        "",
        "| test | here | Kafka | reason |",
        "|---|---|---|---|",
    ]
    for result in sorted(results, key=lambda result: result.name):  # Go shuffles parallel tests
        why = ""
        if result.outcome != "pass":
            matching = (why for name, why in patterns if fnmatchcase(result.name, name))
            why = next(matching, result.reason)
        theirs = kafka.get(result.name, "-")
        lines.append(f"| {result.name} | {result.outcome} | {theirs} | {why} |")
    return "\n".join(lines)


def reasons(suite: str) -> list[tuple[str, str]]:
    """Patterns of names and why these do not pass. Brackets in names are meant literally."""
    rows = (line.split("\t") for line in REASONS.read_text().splitlines() if line)
    return [(name.replace("[", "[[]"), why) for of, name, why in rows if of == suite]
