"""Waiting for something a client can see: ask it again until it is so, or a deadline passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

PAUSE_S = 0.05


def eventually(look: Callable[[], Seen], what: str, *, timeout_s: float = 30.0) -> Seen:
    """The first true value that `look` returns; past the deadline an error that names `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s:g} s (last seen: {seen!r})")
        time.sleep(PAUSE_S)
