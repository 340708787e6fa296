"""Parked requests: woken once, by enough bytes, by time, or because a partition goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from godel.broker.waiting import Commits, Waiter, wait_for_records
from godel.clock import ManualClock
from godel.errors import ErrorCode, StorageFailed

pytestmark = pytest.mark.anyio


class Watched:
    def __init__(self) -> None:
        self.waiters: set[Waiter] = set()


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_waiter_is_woken_when_the_bytes_of_all_partitions_suffice() -> None:
    clock, first, second = ManualClock(), Watched(), Watched()
    waiting = asyncio.ensure_future(
        wait_for_records([first, second], missing_bytes=100, delay_ms=500, clock=clock)
    )
    await settle()
    (waiter,) = first.waiters
    assert second.waiters == {waiter}
    waiter.notify(60)
    await settle()
    assert not waiting.done()
    waiter.notify(40)
    waiter.notify(1)
    assert await waiting
    assert first.waiters == second.waiters == set()


async def test_a_waiter_says_whether_it_wants_committed_records_only() -> None:
    clock, watched = ManualClock(), Watched()
    for committed_only in (False, True):
        waiting = asyncio.ensure_future(
            wait_for_records(
                [watched],
                missing_bytes=1,
                delay_ms=500,
                clock=clock,
                committed_only=committed_only,
            )
        )
        await settle()
        (waiter,) = watched.waiters
        assert waiter.committed_only is committed_only
        waiter.wake()
        assert await waiting


@pytest.mark.parametrize("has_news", [False, True])
async def test_a_waiter_tells_at_its_deadline_whether_anything_happened(has_news: bool) -> None:
    clock, watched = ManualClock(), Watched()
    waiting = asyncio.ensure_future(
        wait_for_records([watched], missing_bytes=100, delay_ms=500, clock=clock)
    )
    await settle()
    if has_news:
        next(iter(watched.waiters)).notify(1)
    clock.advance(499)
    await settle()
    assert not waiting.done()
    clock.advance(1)
    assert await waiting is has_news
    assert watched.waiters == set()


async def test_a_waiter_is_woken_whatever_is_missing_when_a_partition_goes() -> None:
    clock, watched = ManualClock(), Watched()
    waiting = asyncio.ensure_future(
        wait_for_records([watched], missing_bytes=100, delay_ms=500, clock=clock)
    )
    await settle()
    next(iter(watched.waiters)).wake()
    assert await waiting


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    clock, watched = ManualClock(), Watched()
    waiting = asyncio.ensure_future(
        wait_for_records([watched], missing_bytes=100, delay_ms=500, clock=clock)
    )
    await settle()
    waiting.cancel()
    await settle()
    assert waiting.cancelled()
    assert watched.waiters == set()


def future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def refusals() -> tuple[list[tuple[str, ErrorCode]], Callable[[str, ErrorCode], None]]:
    refused: list[tuple[str, ErrorCode]] = []
    return refused, lambda answer, code: refused.append((answer, code))


async def test_commits_wait_for_all_and_name_those_that_failed() -> None:
    commits: Commits[str, str] = Commits()
    good, bad, late = future(), future(), future()
    for committed, answer in ((bad, "bad"), (good, "good"), (late, "late")):
        commits.add(committed, answer)
    refused, refuse = refusals()
    waiting = commits.then("all", refuse, timeout_ms=500, clock=ManualClock())
    good.set_result(None)
    bad.set_exception(StorageFailed("disk"))
    await settle()
    assert not waiting.done()
    assert refused == []
    late.set_result(None)
    assert await waiting == "all"
    assert refused == [("bad", ErrorCode.KAFKA_STORAGE_ERROR)]


async def test_commits_that_take_too_long_are_timed_out() -> None:
    clock: ManualClock = ManualClock()
    commits: Commits[str, str] = Commits()
    good, bad, late = future(), future(), future()
    for committed, answer in ((late, "late"), (good, "good"), (bad, "bad")):
        commits.add(committed, answer)
    refused, refuse = refusals()
    waiting = commits.then("all", refuse, timeout_ms=500, clock=clock)
    await settle()
    good.set_result(None)
    bad.set_exception(StorageFailed("disk"))
    clock.advance(500)
    assert await waiting == "all"
    assert refused == [
        ("late", ErrorCode.REQUEST_TIMED_OUT),
        ("bad", ErrorCode.KAFKA_STORAGE_ERROR),
    ]
    await settle()
    assert late.cancelled()


async def test_who_no_longer_waits_for_commits_is_told_nothing() -> None:
    clock: ManualClock = ManualClock()
    commits: Commits[str, str] = Commits()
    first, second = future(), future()
    commits.add(first, "a")
    commits.add(second, "b")
    refused, refuse = refusals()
    waiting = commits.then("all", refuse, timeout_ms=500, clock=clock)
    waiting.cancel()
    first.set_exception(StorageFailed("disk"))
    second.set_result(None)
    await settle()
    clock.advance(500)
    assert waiting.cancelled()
    assert refused == []


async def test_a_bug_behind_a_commit_reaches_who_waits() -> None:
    commits: Commits[str, str] = Commits()
    committed = future()
    commits.add(committed, "a")
    waiting = commits.then("all", refusals()[1], timeout_ms=500, clock=ManualClock())
    committed.set_exception(AssertionError("bug"))
    with pytest.raises(AssertionError, match="bug"):
        await waiting
