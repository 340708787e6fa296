"""Parked requests: who waits for which partition, and until when.

A fetch waits for records to become visible, an acks=all produce for its batches to be committed.
A waiter is registered on the partitions it wants to hear from. Each time records become visible
there, it is told how many bytes; when nothing is missing any more, or its deadline passes, or one
of its partitions goes away, its future is resolved once. An idle waiter costs a timer and a set
entry per partition, nothing else.

Plays the part of Kafka's `DelayedFetch` in its purgatory; one event loop needs no locks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Generic, Protocol, TypeVar

from godel.clock import Clock
from godel.errors import ErrorCode, StorageFailed


class Waiter:
    """One parked request. `missing_bytes` falls as records become visible."""

    __slots__ = ("committed_only", "has_news", "missing_bytes", "woken")

    def __init__(self, missing_bytes: int, *, committed_only: bool = False) -> None:
        self.missing_bytes = missing_bytes
        self.committed_only = committed_only
        self.has_news = False
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def notify(self, visible_bytes: int) -> None:
        self.has_news = True
        self.missing_bytes -= visible_bytes
        if self.missing_bytes <= 0:
            self.time_out()

    def wake(self) -> None:
        """Look again, whatever is missing: a partition has gone, a transaction has ended."""
        self.has_news = True
        self.time_out()

    def time_out(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class Watched(Protocol):
    """What a waiter can be registered on: `broker.partition.Partition`."""

    waiters: set[Waiter]


async def wait_for_records(
    partitions: Iterable[Watched],
    *,
    missing_bytes: int,
    delay_ms: float,
    clock: Clock,
    committed_only: bool = False,
) -> bool:
    """Return when `missing_bytes` became visible on `partitions` together, or after `delay_ms`.

    False: nothing whatever has happened there meanwhile. `committed_only`: what is part of an open
    transaction is not waited for.
    """
    waiter = Waiter(missing_bytes, committed_only=committed_only)
    timer = clock.call_later(delay_ms, waiter.time_out)
    watched = list(partitions)
    for partition in watched:
        partition.waiters.add(waiter)
    try:
        await waiter.woken
    finally:
        timer.cancel()
        for partition in watched:
            partition.waiters.discard(waiter)
    return waiter.has_news


Answer = TypeVar("Answer")


class Commits(Generic[Answer]):
    """The commits one produce request waits for, each with the answer that it concerns."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending: list[tuple[asyncio.Future[None], Answer]] = []

    def add(self, committed: Awaitable[None], answer: Answer) -> None:
        self.pending.append((asyncio.ensure_future(committed), answer))

    async def wait(self, *, timeout_ms: float, clock: Clock) -> list[tuple[Answer, ErrorCode]]:
        """Wait for all of them; return those that failed, with their error.

        What is not committed in time is told as REQUEST_TIMED_OUT: it may be kept all the same.
        """
        timed_out = False

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            self._cancel()

        timer = clock.call_later(timeout_ms, give_up)
        failures: list[tuple[Answer, ErrorCode]] = []
        try:
            for committed, answer in self.pending:
                try:
                    await committed
                except StorageFailed:
                    failures.append((answer, ErrorCode.KAFKA_STORAGE_ERROR))
                except asyncio.CancelledError:
                    if not timed_out:
                        raise
                    failures.append((answer, ErrorCode.REQUEST_TIMED_OUT))
        finally:
            timer.cancel()
            self._cancel()
        return failures

    def _cancel(self) -> None:
        for committed, _ in self.pending:
            committed.cancel()
