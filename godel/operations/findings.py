"""What a check found: where, what, and whether it is wrong or only worth knowing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Finding(NamedTuple):
    """`position` is a place in the file, -1: the whole of it."""

    path: str
    position: int
    what: str
    is_problem: bool

    def __str__(self) -> str:
        place = self.path if self.position < 0 else f"{self.path} at {self.position}"
        return f"{'problem' if self.is_problem else 'note'}: {place}: {self.what}"


def problem(path: str, what: str, position: int = -1) -> Finding:
    """Something that the next clean start would not put right, or not without a loss."""
    return Finding(path, position, what, is_problem=True)


def note(path: str, what: str, position: int = -1) -> Finding:
    """Something that a broker leaves behind or mends by itself."""
    return Finding(path, position, what, is_problem=False)


@dataclass(slots=True)
class Tally:
    """What was looked at, and what was found."""

    partitions: int = 0
    segments: int = 0
    batches: int = 0
    size_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        self.findings.extend(findings)

    def problems(self) -> Iterator[Finding]:
        return (finding for finding in self.findings if finding.is_problem)

    @property
    def is_sound(self) -> bool:
        return next(self.problems(), None) is None
