"""Tests of the clocks and of the source of randomness."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from godel.clock import ManualClock, Randomness, SystemClock


def test_manual_time_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(now_ms=1_000)
    assert (clock.now_ms(), clock.monotonic_ms()) == (1_000, 0.0)
    clock.advance(250)
    assert (clock.now_ms(), clock.monotonic_ms()) == (1_250, 250.0)


def test_timers_fire_in_order_of_time_then_of_asking() -> None:
    clock = ManualClock()
    fired: list[tuple[str, float]] = []
    for name, delay_ms in (("late", 30), ("early", 10), ("second", 10)):
        clock.call_later(delay_ms, lambda name=name: fired.append((name, clock.monotonic_ms())))
    clock.advance(9.5)
    assert fired == []
    clock.advance(100)
    assert fired == [("early", 10.0), ("second", 10.0), ("late", 30.0)]
    assert clock.monotonic_ms() == 109.5


def test_a_cancelled_timer_does_not_fire() -> None:
    clock = ManualClock()
    fired: list[str] = []
    clock.call_later(1, lambda: fired.append("cancelled")).cancel()
    clock.advance(2)
    assert fired == []


def test_a_timer_set_by_a_timer_fires_within_the_same_advance() -> None:
    clock = ManualClock()
    fired: list[float] = []

    def repeat() -> None:
        fired.append(clock.monotonic_ms())
        clock.call_later(10, repeat)

    clock.call_later(10, repeat)
    clock.advance(35)
    assert fired == [10.0, 20.0, 30.0]


def test_a_timer_in_the_past_fires_at_once_on_the_next_advance() -> None:
    clock = ManualClock()
    fired: list[float] = []
    clock.call_later(-5, lambda: fired.append(clock.monotonic_ms()))
    clock.advance(0)
    assert fired == [0.0]


@pytest.mark.anyio
async def test_a_sleeper_wakes_when_its_time_has_come() -> None:
    clock = ManualClock()
    sleeper = asyncio.ensure_future(clock.sleep(1_000))
    await asyncio.sleep(0)
    clock.advance(999)
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(1)
    await asyncio.wait_for(sleeper, 5)


@pytest.mark.anyio
async def test_the_system_clock_fires_on_the_running_loop() -> None:
    clock = SystemClock()
    before_ms = clock.monotonic_ms()
    fired = asyncio.Event()
    clock.call_later(1, fired.set)
    await asyncio.wait_for(fired.wait(), 5)
    assert clock.monotonic_ms() > before_ms
    assert clock.now_ms() > 1_700_000_000_000


def test_a_seed_repeats_the_same_values() -> None:
    first, second = Randomness(seed=7), Randomness(seed=7)
    values = [first.uuid_bytes() for _ in range(5)]
    assert values == [second.uuid_bytes() for _ in range(5)]
    assert len(set(values)) == 5
    assert all(0 <= Randomness().below(3) < 3 for _ in range(20))


def test_random_ids_are_version_four_uuids() -> None:
    made = uuid.UUID(bytes=Randomness().uuid_bytes())
    assert (made.version, made.variant) == (4, uuid.RFC_4122)
