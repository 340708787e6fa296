"""The reception: who is let in, who is looked after, and that an empty house has no timer."""

from __future__ import annotations

import pytest
import structlog
from structlog.testing import LogCapture

from godel.clock import ManualClock
from godel.metrics import Metrics
from godel.security.quotas import Quotas
from godel.server.dispatch import Dispatcher
from godel.server.limits import Limits
from godel.server.reception import Reception

pytestmark = pytest.mark.anyio


class Visitor:
    """A guest without a socket: only what the reception sees of a connection."""

    def __init__(self, reception: Reception, client_host: str = "10.0.0.1") -> None:
        self.reception = reception
        self.client_host = client_host
        self.checked_at: list[float] = []
        self.polite = True

    def check(self, now_ms: float) -> None:
        self.checked_at.append(now_ms)

    def finish(self) -> None:
        if self.polite:
            self.reception.leave(self, "shutdown")

    def drop(self, reason: str) -> None:
        self.reception.leave(self, reason)


def reception(clock: ManualClock, **limits: int) -> Reception:
    log = structlog.wrap_logger(None, processors=[LogCapture()])
    dispatcher = Dispatcher((), None, Metrics(), log=log, clock=clock, quotas=Quotas())
    return Reception(dispatcher, Limits(**limits))


def test_addresses_are_counted_apart() -> None:
    house = reception(ManualClock(), max_connections=3, max_connections_per_ip=2)
    visitors = [Visitor(house, host) for host in ("a", "a", "a", "b", "c")]
    assert [house.admit(visitor) for visitor in visitors] == [True, True, False, True, False]
    house.leave(visitors[0], "closed_by_peer")
    assert house.admit(visitors[2])


def test_the_timer_runs_only_while_somebody_is_there() -> None:
    clock = ManualClock()
    house = reception(clock, max_idle_ms=1_000, max_stalled_ms=2_000)
    visitor = Visitor(house)
    house.admit(visitor)
    clock.advance(350)
    assert visitor.checked_at == [100, 200, 300]
    house.leave(visitor, "closed_by_peer")
    clock.advance(1_000)
    assert len(visitor.checked_at) == 3
    assert not clock._timers
    house.admit(visitor)
    clock.advance(100)
    assert len(visitor.checked_at) == 4


async def test_an_empty_house_closes_at_once() -> None:
    house = reception(ManualClock())
    await house.close()
    assert not house.admit(Visitor(house))


async def test_closing_leaves_no_timer() -> None:
    clock = ManualClock()
    house = reception(clock)
    house.admit(Visitor(house))
    await house.close()
    clock.advance(10**9)
    assert not clock._timers
