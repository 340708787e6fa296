"""How many bytes of requests the broker holds at a time (`queued.max.request.bytes`).

Counted are frames that are being received, that wait for their turn, and whose answer waits. As in
Kafka's memory pool, a request that was let in may overshoot the limit; none is let in above it.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from godel.metrics import Gauge


class Waiting(Protocol):
    """Something that stopped reading for want of memory."""

    def memory_available(self) -> None: ...


class RequestMemory:
    """Shared by all connections of a broker."""

    __slots__ = ("_limit_bytes", "_used", "_waiting")

    def __init__(self, limit_bytes: int, used: Gauge) -> None:
        self._limit_bytes = limit_bytes if limit_bytes >= 0 else 2**63
        self._used = used
        self._waiting: deque[Waiting] = deque()

    @property
    def is_full(self) -> bool:
        return self._used.value >= self._limit_bytes

    def take(self, count: int) -> None:
        self._used.value += count

    def release(self, count: int) -> None:
        self._used.value -= count
        assert self._used.value >= 0
        # One round at most: who is let go may take memory or line up again.
        for _ in range(len(self._waiting)):
            if self.is_full:
                return
            self._waiting.popleft().memory_available()

    def wait(self, connection: Waiting) -> None:
        """Call `memory_available` once, in turn, when there is room again."""
        self._waiting.append(connection)

    def forget(self, connection: Waiting) -> None:
        if connection in self._waiting:
            self._waiting.remove(connection)
