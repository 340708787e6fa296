"""What became of a request for several things at once, and what was not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from godel.client.cluster import error_code
from godel.errors import ApiError


class Named(Protocol):
    """What is answered for one of several things."""

    @property
    def name(self) -> str | None: ...


AnyNamed = TypeVar("AnyNamed", bound=Named)


def as_asked(results: Iterable[AnyNamed], names: Iterable[str]) -> list[AnyNamed]:
    """In the order of the question: Kafka answers in that of a hash table."""
    order = {name: number for number, name in enumerate(names)}
    return sorted(results, key=lambda each: order.get(each.name or "", len(order)))


class NotFound(Exception):
    """Something was asked for by a name that does not exist; `known` are the names that do."""

    def __init__(self, kind: str, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(f"there is no {kind} {name}")
        self.kind = kind
        self.name = name
        self.known = known


@dataclass(frozen=True, slots=True)
class Outcome:
    """Success, or why not, for one of the things asked for."""

    name: str
    error: ApiError | None

    @classmethod
    def of(cls, name: str, code: int, message: str | None = None) -> Outcome:
        return cls(name, ApiError(error_code(code), message) if code else None)
