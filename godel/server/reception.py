"""What all connections of a broker share: who may come in, how much is held, who has to go.

Owns the set of connections, their count per address, the receive buffer that they read into one
after another, and the one timer that looks for idle and stalled ones.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from godel.clock import Timer
from godel.protocol.connection import SpareBuffers
from godel.server.dispatch import Dispatcher
from godel.server.limits import Limits
from godel.server.request_memory import RequestMemory
from godel.server.unsent_answers import UnsentAnswers

RECEIVE_BUFFER_BYTES = 256 * 1024

SWEEPS_PER_LIMIT = 10
MIN_SWEEP_MS = 10.0


class Guest(Protocol):
    """A connection as the reception sees it."""

    client_host: str

    def check(self, now_ms: float) -> None:
        """Leave if idle or stalled for too long."""
        ...

    def finish(self) -> None:
        """Take no more requests and leave once those taken are answered."""
        ...

    def drop(self, reason: str) -> None:
        """Leave now."""
        ...


class Reception:
    """One per broker and event loop."""

    def __init__(self, dispatcher: Dispatcher, limits: Limits) -> None:
        self.dispatcher = dispatcher
        self.limits = limits
        self.metrics = dispatcher.metrics
        self.clock = dispatcher.clock
        self.elapsed_s = self.clock.elapsed_s
        self.memory = RequestMemory(limits.queued_request_bytes, self.metrics.request_memory_bytes)
        self.unsent = UnsentAnswers(limits.unsent_answers_bytes)
        self.receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_BYTES))
        self.spare_buffers = SpareBuffers()
        self._connections: set[Guest] = set()
        self._by_host: dict[str, int] = {}
        shortest_ms = limits.max_stalled_ms
        if limits.max_idle_ms >= 0:
            shortest_ms = min(shortest_ms, limits.max_idle_ms)
        self._sweep_ms = max(shortest_ms / SWEEPS_PER_LIMIT, MIN_SWEEP_MS)
        self._sweep: Timer | None = None
        self._closing = False
        self._emptied: asyncio.Event | None = None

    def admit(self, connection: Guest) -> bool:
        """Let a connection in, unless a limit is reached."""
        limit = self._reached_limit(connection.client_host)
        if limit is not None:
            self.metrics.connections_refused.of(limit).add()
            return False
        self._connections.add(connection)
        host = connection.client_host
        self._by_host[host] = self._by_host.get(host, 0) + 1
        self.metrics.connections_accepted.add()
        self.metrics.connections.set(len(self._connections))
        if self._sweep is None:
            self._sweep = self.clock.call_later(self._sweep_ms, self._sweep_connections)
        return True

    def leave(self, connection: Guest, reason: str) -> None:
        self._connections.remove(connection)
        host = connection.client_host
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
        self.metrics.connections.set(len(self._connections))
        self.metrics.connections_closed.of(reason).add()
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    def _reached_limit(self, host: str) -> str | None:
        if self._closing:
            return "closing"
        if len(self._connections) >= self.limits.max_connections:
            return "max.connections"
        if self._by_host.get(host, 0) >= self.limits.max_connections_per_ip:
            return "max.connections.per.ip"
        return None

    def _sweep_connections(self) -> None:
        self._sweep = None
        now_ms = self.clock.monotonic_ms()
        for connection in list(self._connections):
            connection.check(now_ms)
        if self._connections:
            self._sweep = self.clock.call_later(self._sweep_ms, self._sweep_connections)

    async def close(self, deadline_ms: float | None = None) -> None:
        """Let every connection finish the requests it has taken; drop those that take too long."""
        self._closing = True
        emptied = self._emptied = asyncio.Event()
        for connection in list(self._connections):
            connection.finish()
        if self._connections:
            delay_ms = self.limits.close_deadline_ms if deadline_ms is None else deadline_ms
            deadline = self.clock.call_later(delay_ms, self._drop_all)
            await emptied.wait()
            deadline.cancel()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _drop_all(self) -> None:
        for connection in list(self._connections):
            connection.drop("shutdown")
