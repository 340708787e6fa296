"""Unsent answers are bounded over all connections; who is behind for longest goes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from godel.server.unsent_answers import UnsentAnswers
from tests.server.harness import Server, beat, blob, until

Serve = Callable[..., Awaitable[Server]]


class Reader:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def drop(self, reason: str) -> None:
        self.reasons.append(reason)


def test_who_is_behind_for_longest_goes_first() -> None:
    unsent = UnsentAnswers(100)
    first, second, third = Reader(), Reader(), Reader()
    unsent.set(first, 10)
    unsent.set(second, 60)
    unsent.set(first, 40)
    assert unsent.total_bytes == 100
    unsent.set(third, 1)
    assert [reader.reasons for reader in (first, second, third)] == [["slow_reader"], [], []]
    assert unsent.total_bytes == 61


def test_who_has_caught_up_does_not_count() -> None:
    unsent = UnsentAnswers(100)
    first, second = Reader(), Reader()
    unsent.set(first, 90)
    unsent.forget(first)
    unsent.forget(first)
    unsent.set(second, 90)
    assert not first.reasons
    assert not second.reasons


def test_one_alone_that_is_too_far_behind_goes() -> None:
    unsent = UnsentAnswers(100)
    alone = Reader()
    unsent.set(alone, 101)
    assert alone.reasons == ["slow_reader"]
    assert unsent.total_bytes == 0


@pytest.mark.anyio
async def test_readers_together_are_bounded(serve: Serve) -> None:
    server = await serve(unsent_answers_bytes=12_000_000)
    slow = [await server.connect(limit=1000) for _ in range(4)]
    for client in slow:
        client.send(blob(16_000_000))
    await until(lambda: server.metrics.connections_closed.of("slow_reader").value >= 2)
    assert server.reception.unsent.total_bytes <= 12_000_000
    other = await server.connect()
    other.send(beat(1), correlation_id=1)
    assert await other.answers(1) == [1]
    for client in slow:
        client.close()
    await until(lambda: server.metrics.connections.value == 1)
    assert server.reception.unsent.total_bytes == 0
