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
from collections.abc import Awaitable, Callable, Iterable
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
Response = TypeVar("Response")


class Commits(Generic[Answer, Response]):
    """The commits one produce request waits for, each with the answer that it concerns.

    Callbacks and one future for the whole: a task for each request costs four times as much.
    """

    __slots__ = ("_missing", "_refuse", "_response", "_timer", "_whole", "pending")

    def __init__(self) -> None:
        self.pending: list[tuple[asyncio.Future[None], Answer]] = []

    def add(self, committed: Awaitable[None], answer: Answer) -> None:
        self.pending.append((asyncio.ensure_future(committed), answer))

    def then(
        self,
        response: Response,
        refuse: Callable[[Answer, ErrorCode], None],
        *,
        timeout_ms: float,
        clock: Clock,
    ) -> asyncio.Future[Response]:
        """Give `response` when all are committed; before that, tell `refuse` of those that failed.

        What is not committed in time is told as REQUEST_TIMED_OUT: it may be kept all the same. Who
        cancels the future hears no more; the commits come to their end without it.
        """
        self._response = response
        self._refuse = refuse
        self._whole: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._timer = clock.call_later(timeout_ms, self._give_up)
        self._missing = len(self.pending)
        for committed, _ in self.pending:
            committed.add_done_callback(self._one_is_done)
        return self._whole

    def _one_is_done(self, _committed: asyncio.Future[None]) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._timer.cancel()
            self._end()

    def _give_up(self) -> None:
        self._end()
        for committed, _ in self.pending:
            committed.cancel()

    def _end(self) -> None:
        whole = self._whole
        for committed, answer in self.pending:
            failure = _failure(committed)
            if failure is None or whole.done():
                continue
            if isinstance(failure, TimeoutError):
                self._refuse(answer, ErrorCode.REQUEST_TIMED_OUT)
            elif isinstance(failure, StorageFailed):
                self._refuse(answer, ErrorCode.KAFKA_STORAGE_ERROR)
            else:
                whole.set_exception(failure)
        if not whole.done():
            whole.set_result(self._response)


def _failure(committed: asyncio.Future[None]) -> BaseException | None:
    if not committed.done() or committed.cancelled():
        return TimeoutError()
    return committed.exception()
