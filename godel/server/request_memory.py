"""How many bytes of requests the broker holds at a time (`queued.max.request.bytes`).

Counted are frames that are being received, that wait for their turn, and whose answer waits. As in
Kafka's memory pool, a request that was let in may overshoot the limit; none is let in above it.

A large request reserves all of its size when it begins. What is reserved keeps out other large
requests only: five clients that announce 100 MB and send nothing must not stop everybody.
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

    __slots__ = ("_limit_bytes", "_reserved_bytes", "_used", "_waiting")

    def __init__(self, limit_bytes: int, used: Gauge) -> None:
        self._limit_bytes = limit_bytes if limit_bytes >= 0 else 2**63
        self._used = used
        self._reserved_bytes = 0
        self._waiting: deque[Waiting] = deque()

    @property
    def is_full(self) -> bool:
        return self._used.value >= self._limit_bytes

    @property
    def is_used_up(self) -> bool:
        """Full also without what is only reserved."""
        return self._used.value - self._reserved_bytes >= self._limit_bytes

    def take(self, count: int) -> None:
        self._used.value += count

    def reserve(self, count: int) -> None:
        """Take memory for a request that has begun to arrive."""
        self._reserved_bytes += count
        self._used.value += count

    def give_back(self, count: int) -> None:
        """The request for which so much was reserved is there, or will never be."""
        self._reserved_bytes -= count
        self.release(count)

    def release(self, count: int) -> None:
        self._used.value -= count
        assert self._used.value >= 0
        # One round at most: who is let go may take memory or line up again.
        for _ in range(len(self._waiting)):
            if self.is_used_up:
                return
            self._waiting.popleft().memory_available()

    def wait(self, connection: Waiting) -> None:
        """Call `memory_available` once, in turn, when there is room again."""
        self._waiting.append(connection)

    def forget(self, connection: Waiting) -> None:
        if connection in self._waiting:
            self._waiting.remove(connection)
