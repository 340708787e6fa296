"""Memory for requests: let in below the limit, in turn, never forgotten."""

from __future__ import annotations

from godel.metrics import Gauge
from godel.server.request_memory import RequestMemory


class Reader:
    def __init__(self, memory: RequestMemory, wants_bytes: int = 0) -> None:
        self.memory = memory
        self.wants_bytes = wants_bytes
        self.calls = 0

    def memory_available(self) -> None:
        self.calls += 1
        if self.memory.is_full:
            self.memory.wait(self)
        else:
            self.memory.take(self.wants_bytes)


def test_one_request_may_overshoot() -> None:
    memory = RequestMemory(100, Gauge())
    memory.take(99)
    assert not memory.is_full
    memory.take(1_000)
    assert memory.is_full


def test_without_a_limit_it_is_never_full() -> None:
    memory = RequestMemory(-1, Gauge())
    memory.take(2**40)
    assert not memory.is_full


def test_room_goes_to_the_first_in_line() -> None:
    memory = RequestMemory(100, Gauge())
    memory.take(150)
    first, second = Reader(memory, 100), Reader(memory, 10)
    memory.wait(first)
    memory.wait(second)
    memory.release(20)
    assert (first.calls, second.calls) == (0, 0)
    memory.release(40)
    assert (first.calls, second.calls) == (1, 0)
    memory.release(190)
    assert (first.calls, second.calls) == (1, 1)


def test_who_left_is_not_called() -> None:
    memory = RequestMemory(100, Gauge())
    memory.take(100)
    gone, here = Reader(memory), Reader(memory)
    memory.wait(gone)
    memory.wait(here)
    memory.forget(gone)
    memory.release(100)
    assert (gone.calls, here.calls) == (0, 1)


def test_the_gauge_shows_what_is_held() -> None:
    used = Gauge()
    memory = RequestMemory(100, used)
    memory.take(30)
    memory.release(10)
    assert used.value == 20
