"""How long a call takes, as every measurement here without a broker takes it."""

from __future__ import annotations

import time
from collections.abc import Callable

ROUNDS = 7
ROUND_S = 0.02


def timed(action: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def best_of(rounds: int, action: Callable[[], object]) -> float:
    """Seconds of the fastest of so many calls: what else the machine does only makes it slower."""
    return min(timed(action) for _ in range(rounds))


def microseconds(action: Callable[[], object], repeat: int | None = None) -> float:
    """The time of one call: the best of seven rounds of `repeat` calls, or of about 20 ms."""
    if repeat is None:
        repeat = max(1, int(ROUND_S / (timed(action) + 1e-7)))
    calls = range(repeat)

    def one_round() -> None:
        for _ in calls:
            action()

    return best_of(ROUNDS, one_round) / repeat * 1e6
