"""The only source of time and randomness.

Everything that waits or asks the time takes a `Clock`, so that a test can drive session timeouts,
long polls and retention by hand; everything that needs a random value takes a `Randomness`, so that
a run can be repeated from its seed. Durations are milliseconds.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that has been asked for and may still be taken back."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Wall time, monotonic time and timers. Timers fire on the event loop that asked for them."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch: what goes into records and is compared with timestamps."""
        ...

    def monotonic_ms(self) -> float:
        """Milliseconds that never go back: what deadlines and durations are made of."""
        ...

    def elapsed_s(self) -> float:
        """The same in seconds, and quicker: what every request is timed with."""
        ...

    def call_later(self, delay_ms: float, callback: Callable[[], object]) -> Timer: ...

    async def sleep(self, delay_ms: float) -> None: ...


class SystemClock:
    """The machine's clock and the running event loop's timers."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000.0

    elapsed_s = staticmethod(time.monotonic)

    def call_later(self, delay_ms: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_ms / 1000.0, callback)

    async def sleep(self, delay_ms: float) -> None:
        await asyncio.sleep(delay_ms / 1000.0)


class ManualTimer:
    """A timer of a `ManualClock`."""

    __slots__ = ("callback", "due_ms")

    def __init__(self, due_ms: float, callback: Callable[[], object]) -> None:
        self.due_ms = due_ms
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """Time that stands still until `advance` is called.

    Not thread safe: advance it on the broker's loop.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._start_ms = now_ms
        self._elapsed_ms = 0.0
        self._sequence = 0
        self._timers: list[tuple[float, int, ManualTimer]] = []

    def now_ms(self) -> int:
        return self._start_ms + int(self._elapsed_ms)

    def monotonic_ms(self) -> float:
        return self._elapsed_ms

    def elapsed_s(self) -> float:
        return self._elapsed_ms / 1000.0

    def call_later(self, delay_ms: float, callback: Callable[[], object]) -> ManualTimer:
        timer = ManualTimer(self._elapsed_ms + max(delay_ms, 0.0), callback)
        self._sequence += 1
        heapq.heappush(self._timers, (timer.due_ms, self._sequence, timer))
        return timer

    async def sleep(self, delay_ms: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_later(delay_ms, wake)
        try:
            await woken
        finally:
            timer.cancel()

    def advance(self, ms: float) -> None:
        """Move time on and fire, in order, every timer that falls due on the way."""
        target_ms = self._elapsed_ms + ms
        while self._timers and self._timers[0][0] <= target_ms:
            due_ms, _, timer = heapq.heappop(self._timers)
            self._elapsed_ms = max(self._elapsed_ms, due_ms)
            if timer.callback is not None:
                timer.callback()
        self._elapsed_ms = target_ms


class Randomness:
    """Random values: ids and jitter.

    With a seed the sequence can be repeated; without one the system's source is used.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._source = random.SystemRandom() if seed is None else random.Random(seed)

    def uuid_bytes(self) -> bytes:
        """16 random bytes with the version and variant bits of a random (version 4) UUID."""
        raw = bytearray(self._source.randbytes(16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return bytes(raw)

    def below(self, limit: int) -> int:
        """An integer in `[0, limit)`."""
        return self._source.randrange(limit)
