"""What a coordinator's state machine answers to a request or a timer: decide, then apply.

`decide` reads the state and returns a `Decision`. The runtime appends its records as one batch and
only then lets `apply` change the durable state, the same `apply` that rebuilds it after a restart.
Volatile facts (who is parked, when a session ends, a rebalance in progress) may change in `decide`;
`undo` puts them back where the records could not be written. Kafka's `CoordinatorResult`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Reply = TypeVar("Reply")
Record = TypeVar("Record")


class Instant(NamedTuple):
    """One reading of both clocks: `wall_ms` goes into records, `monotonic_ms` makes deadlines."""

    wall_ms: int
    monotonic_ms: float


class Caller(NamedTuple):
    """Who sends a request, as far as a coordinator cares."""

    version: int
    client_id: str
    client_host: str


class Parked(NamedTuple):
    """Not answered now: a later decision wakes the ticket."""

    ticket: int


class Wake(NamedTuple):
    """The answer to a request that an earlier decision parked."""

    ticket: int
    reply: object


@dataclass(frozen=True, slots=True)
class Decision(Generic[Reply, Record]):
    """Records to append before anyone is told, the answer, and the parked requests to answer."""

    reply: Reply | Parked
    records: tuple[Record, ...] = ()
    wake: tuple[Wake, ...] = ()
    undo: Callable[[], None] | None = None
