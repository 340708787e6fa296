"""The runtime with a machine that counts: appends, commits, parking, timers, loading."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable
from typing import TypeVar

import pytest
import structlog

from godel.clock import ManualClock
from godel.coordinator.decision import Decision, Instant, Parked, Wake
from godel.coordinator.runtime import (
    REPLAY_RECORDS_MAX,
    CoordinatorRuntime,
    ShardState,
    gather,
    then,
)
from godel.errors import ApiError, ErrorCode, StorageFailed
from godel.records.builder import build_batch
from tests.coordinator.memory_log import MemoryLog

pytestmark = pytest.mark.anyio

Reply = TypeVar("Reply")


class Counter:
    """Adds up what its records say. Waits for `wake`; every deadline adds one."""

    def __init__(self) -> None:
        self.total = 0
        self.volatile = 0
        self.deadline_ms: float | None = None
        self.is_loaded = False

    def encode(self, record: int) -> tuple[bytes, bytes | None]:
        return b"add", str(record).encode()

    def decode(self, key: bytes, value: bytes | None) -> int | None:
        assert value is not None
        return int(value) if key == b"add" else None

    def apply(self, record: int) -> None:
        self.total += record

    def loaded(self, now: Instant) -> None:
        assert now.monotonic_ms >= 0
        self.is_loaded = True

    def next_deadline_ms(self) -> float | None:
        return self.deadline_ms

    def expire(self, now: Instant) -> Decision[None, int] | None:
        if self.deadline_ms is None or self.deadline_ms > now.monotonic_ms:
            return None
        due_ms, self.deadline_ms = self.deadline_ms, None

        def undo() -> None:
            self.deadline_ms = due_ms + 1_000

        return Decision(None, (1,), undo=undo)

    def add(self, amount: int) -> Decision[str, int]:
        before, self.volatile = self.volatile, self.volatile + 1

        def undo() -> None:
            self.volatile = before

        return Decision(f"added {amount}", (amount,), undo=undo)

    def wait(self, ticket: int) -> Decision[str, int]:
        return Decision(Parked(ticket))

    def wake(self, ticket: int, amount: int) -> Decision[str, int]:
        return Decision("woken", (amount,), (Wake(ticket, f"you get {amount}"),))


class Fixture:
    def __init__(self, log: MemoryLog | None = None, *, parked_max: int = 3) -> None:
        self.clock = ManualClock()
        self.log = log or MemoryLog()
        self.runtime: CoordinatorRuntime[Counter] = CoordinatorRuntime(
            self.clock,
            new_machine=Counter,
            open_log=lambda _: self.log,
            commit_timeout_ms=5_000,
            parked_max=parked_max,
            log=structlog.get_logger(),
        )
        self.runtime.load([0])

    @property
    def machine(self) -> Counter:
        return self.runtime.shards[0].machine

    def add(self, amount: int) -> str | Awaitable[str]:
        return self.runtime.write(0, lambda machine, _: machine.add(amount), refuse)

    def wait(self, ticket: int) -> str | Awaitable[str]:
        return self.runtime.write(0, lambda machine, _: machine.wait(ticket), refuse, may_park=True)

    def wake(self, ticket: int, amount: int) -> str | Awaitable[str]:
        return self.runtime.write(0, lambda machine, _: machine.wake(ticket, amount), refuse)

    def read(self) -> int | Awaitable[int]:
        return self.runtime.read(0, lambda machine: machine.total, lambda code: -int(code))


def refuse(code: ErrorCode) -> str:
    return code.name


def started(reply: Reply | Awaitable[Reply]) -> asyncio.Future[Reply]:
    assert isawaitable(reply)
    return asyncio.ensure_future(reply)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_committed_at_once_is_answered_at_once() -> None:
    broker = Fixture()
    assert broker.add(2) == "added 2"
    assert broker.add(3) == "added 3"
    assert broker.read() == 5
    assert len(broker.log.batches) == 2


async def test_an_answer_waits_for_its_commit() -> None:
    broker = Fixture(MemoryLog(holds_commits=True))
    answer = started(broker.add(2))
    assert broker.machine.total == 2, "applied at append"
    await settle()
    assert not answer.done()
    broker.log.commit_all()
    assert await answer == "added 2"


async def test_a_read_waits_for_the_records_that_it_shows() -> None:
    broker = Fixture(MemoryLog(holds_commits=True))
    answer = started(broker.add(2))
    look = started(broker.read())
    await settle()
    assert not look.done()
    broker.log.commit_all()
    assert (await answer, await look) == ("added 2", 2)


async def test_a_failed_append_changes_nothing() -> None:
    broker = Fixture()
    broker.log.append_error = ApiError(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert broker.add(2) == "COORDINATOR_NOT_AVAILABLE"
    broker.log.append_error = StorageFailed("disk full")
    assert broker.add(2) == "NOT_COORDINATOR"
    broker.log.append_error = ApiError(ErrorCode.RECORD_LIST_TOO_LARGE)
    assert broker.add(2) == "MESSAGE_TOO_LARGE"
    assert (broker.machine.total, broker.machine.volatile) == (0, 0)
    broker.log.append_error = None
    assert broker.add(2) == "added 2"


async def test_a_failed_commit_ends_the_shard() -> None:
    broker = Fixture(MemoryLog(holds_commits=True))
    waiting = started(broker.wait(7))
    answer = started(broker.add(2))
    await settle()
    broker.log.fail_commits(StorageFailed("disk gone"))
    assert await answer == "NOT_COORDINATOR"
    assert await waiting == "NOT_COORDINATOR"
    assert broker.runtime.shards[0].state is ShardState.FAILED
    assert broker.add(1) == "NOT_COORDINATOR"
    assert broker.read() == -ErrorCode.NOT_COORDINATOR


async def test_a_commit_that_takes_too_long_is_answered() -> None:
    broker = Fixture(MemoryLog(holds_commits=True))
    answer = started(broker.add(2))
    await settle()
    broker.clock.advance(5_000)
    assert await answer == "COORDINATOR_NOT_AVAILABLE"
    assert broker.runtime.shards[0].state is ShardState.LIVE
    broker.log.commit_all()
    assert broker.read() == 2


async def test_a_parked_request_is_woken_with_the_commit() -> None:
    broker = Fixture(MemoryLog(holds_commits=True))
    waiting = started(broker.wait(7))
    await settle()
    waker = started(broker.wake(7, 4))
    await settle()
    assert not waiting.done()
    broker.log.commit_all()
    assert (await waiting, await waker) == ("you get 4", "woken")
    assert broker.runtime.shards[0].parked == {}


async def test_a_failed_append_wakes_nobody() -> None:
    broker = Fixture()
    waiting = started(broker.wait(7))
    await settle()
    broker.log.append_error = ApiError(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert broker.wake(7, 4) == "COORDINATOR_NOT_AVAILABLE"
    await settle()
    assert not waiting.done()
    broker.log.append_error = None
    assert broker.wake(7, 4) == "woken"
    assert await waiting == "you get 4"


async def test_one_who_waited_may_be_gone() -> None:
    broker = Fixture()
    waiting = started(broker.wait(7))
    await settle()
    waiting.cancel()
    await settle()
    assert broker.runtime.shards[0].parked == {}
    assert broker.wake(7, 4) == "woken"


async def test_room_to_wait_is_limited() -> None:
    broker = Fixture(parked_max=2)
    waiting = [started(broker.wait(1)), started(broker.wait(2))]
    assert broker.wait(3) == "COORDINATOR_NOT_AVAILABLE"
    assert broker.wake(1, 4) == "woken", "others still get through"
    await settle()
    waiting.append(started(broker.wait(3)))
    broker.runtime.close()
    assert [await one for one in waiting] == ["you get 4", "NOT_COORDINATOR", "NOT_COORDINATOR"]


async def test_deadlines_are_kept_and_failures_tried_again() -> None:
    broker = Fixture()
    broker.machine.deadline_ms = 100.0
    broker.add(10)
    broker.clock.advance(99)
    assert broker.machine.total == 10
    broker.log.append_error = ApiError(ErrorCode.NOT_ENOUGH_REPLICAS)
    broker.clock.advance(1)
    assert broker.machine.total == 10
    broker.log.append_error = None
    broker.clock.advance(999)
    assert broker.machine.total == 10
    broker.clock.advance(1)
    assert broker.machine.total == 11


async def test_an_earlier_deadline_replaces_the_timer() -> None:
    broker = Fixture()
    broker.machine.deadline_ms = 100.0
    broker.add(10)
    broker.machine.deadline_ms = 50.0
    broker.add(10)
    broker.clock.advance(50)
    assert broker.machine.total == 21


async def test_close_ends_timers_and_waits() -> None:
    broker = Fixture()
    broker.machine.deadline_ms = 100.0
    waiting = started(broker.wait(1))
    broker.runtime.close()
    assert await waiting == "NOT_COORDINATOR"
    broker.clock.advance(200)
    assert broker.machine.total == 0
    assert broker.add(1) == "NOT_COORDINATOR"


async def test_a_partition_without_a_shard() -> None:
    broker = Fixture()
    assert broker.runtime.write(1, lambda m, _: m.add(1), refuse) == "NOT_COORDINATOR"


async def test_state_is_rebuilt_by_replay() -> None:
    first = Fixture()
    first.add(2)
    first.add(3)
    again = Fixture(first.log)
    assert again.read() == 5
    assert again.machine.is_loaded


async def test_a_long_log_is_loaded_piece_by_piece() -> None:
    log = MemoryLog()
    log.batches = [build_batch([(b"add", b"1")] * 1_500, timestamp_ms=0) for _ in range(3)]
    broker = Fixture(log)
    assert broker.runtime.shards[0].replayed == REPLAY_RECORDS_MAX
    broker.runtime.repeat(0, lambda m, _: Decision(m.total < 4_503, (1,)))
    assert broker.add(1) == "COORDINATOR_LOAD_IN_PROGRESS"
    broker.clock.advance(0)
    assert broker.read() == 4_504, "and then what was asked for meanwhile"


async def test_a_request_loads_a_short_log_itself() -> None:
    logs = {0: MemoryLog(), 1: MemoryLog()}
    logs[1].batches = [build_batch([(b"add", b"5")], timestamp_ms=0)]
    runtime: CoordinatorRuntime[Counter] = CoordinatorRuntime(
        ManualClock(),
        new_machine=Counter,
        open_log=lambda partition: logs[partition],
        commit_timeout_ms=1,
        parked_max=1,
        log=structlog.get_logger(),
    )
    runtime.load([0, 1])
    assert runtime.shards[1].state is ShardState.LOADING
    assert runtime.read(1, lambda machine: machine.total, lambda code: -int(code)) == 5


async def test_what_does_not_count_is_not_applied() -> None:
    log = MemoryLog()
    log.batches = [build_batch([(b"unknown", b"9"), (b"add", b"5")], timestamp_ms=0)]
    broker = Fixture(log)
    assert broker.read() == 5
    assert broker.runtime.shards[0].replayed == 2


async def test_a_damaged_log_is_not_served() -> None:
    log = MemoryLog()
    log.batches = [build_batch([(b"add", b"1")], timestamp_ms=0)[:-3]]
    broker = Fixture(log)
    assert broker.runtime.shards[0].state is ShardState.FAILED
    assert broker.add(1) == "NOT_COORDINATOR"
    broker.runtime.repeat(0, lambda m, _: m.add(1))  # type: ignore[arg-type]  # never called


async def test_answers_of_several_shards_are_one() -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value

    assert gather([1, 2]) == [1, 2]
    both = gather([later(1), 2])
    assert isawaitable(both)
    assert await both == [1, 2]
    assert then(1, str) == "1"
    text = then(later(1), str)
    assert isawaitable(text)
    assert await text == "1"
