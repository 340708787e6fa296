"""Waiting for something a client can see: ask it again until it is so, or a deadline passes.

The deadline is a bound for what never comes, not how long it may take: three workers on two cores
make a group of three join in half a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

PAUSE_S = 0.05
DEADLINE_S = 120.0


def eventually(
    look: Callable[[], Seen],
    what: str,
    *,
    until: Callable[[Seen], object] = bool,
    timeout_s: float = DEADLINE_S,
) -> Seen:
    """The first that is seen and `until` accepts; past the deadline an error that names `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if until(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s:g} s (last seen: {seen!r})")
        time.sleep(PAUSE_S)
