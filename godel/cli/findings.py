"""What `godel doctor` finds: one fact each, whether it is good, and what to do if not."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from godel.cli.output import RED, YELLOW, one_line, styled

CHECK_WIDTH = 11


class Grade(StrEnum):
    """How good a finding is."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    PROBLEM = "problem"


GRADE_WIDTH = max(map(len, Grade))
STYLES = {Grade.WARNING: YELLOW, Grade.PROBLEM: RED}


class Finding(NamedTuple):
    """One fact about a cluster."""

    check: str
    grade: Grade
    what: str
    advice: str | None = None

    def as_row(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "grade": str(self.grade),
            "what": self.what,
            "advice": self.advice,
        }


def lines(finding: Finding, stream: Any) -> list[str]:
    """A finding for people. Columns keep their width, so that each is shown when it is known."""
    grade = f"{finding.grade:{GRADE_WIDTH}}"
    style = STYLES.get(finding.grade)
    shown = grade if style is None else styled(grade, style, stream)
    said = [f"{shown}  {finding.check:{CHECK_WIDTH}}  {one_line(finding.what)}"]
    if finding.advice is not None:
        said.append(f"{'':{GRADE_WIDTH}}  {'':{CHECK_WIDTH}}  -> {finding.advice}")
    return said


def summary(findings: Sequence[Finding]) -> str:
    """The last line: how many of what needs a look."""
    problems = sum(each.grade is Grade.PROBLEM for each in findings)
    warnings = sum(each.grade is Grade.WARNING for each in findings)
    if not problems and not warnings:
        return "nothing is wrong"
    return f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number or 'no'} {noun}s"
