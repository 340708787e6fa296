"""The log of slow requests: what counts as slow, what a line says, how many there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from godel.clock import ManualClock
from godel.metrics import Metrics
from godel.server.slow_requests import LINES_PER_SECOND, SlowRequests
from tests.server.harness import Server, beat, join, produce, until

Serve = Callable[..., Awaitable[Server]]


def lines(server: Server) -> list[dict[str, Any]]:
    return [dict(entry) for entry in server.logged.entries if entry["event"] == "slow_request"]


def note(slow: SlowRequests) -> None:
    slow.note("Produce", 9, client_id="c", request_bytes=100, queue_s=0.0, local_s=2.0)


@pytest.mark.anyio
async def test_a_line_says_whose_request_it_was_and_how_long_each_stage_took(serve: Serve) -> None:
    server = await serve()
    server.dispatcher.slow.configure(100)
    client = await server.connect()
    client.send(produce(waits_for="disk"))
    await until(lambda: server.count("godel_requests_waiting") == 1)
    server.clock.advance(250)
    server.open("disk")
    await client.answer()
    (line,) = lines(server)
    assert line.pop("request_bytes") > 20
    assert line == {
        "event": "slow_request",
        "log_level": "info",
        "api": "Produce",
        "version": 3,
        "client_id": "tester",
        "queue_ms": 0,
        "local_ms": 0,
        "remote_ms": 250,
    }
    assert server.metrics.slow_requests.of("Produce").value == 1


@pytest.mark.anyio
async def test_a_request_that_waited_for_its_turn_is_slow_too(serve: Serve) -> None:
    server = await serve()
    server.dispatcher.slow.configure(100)
    client = await server.connect()
    client.send(join("first"))
    client.send(beat(1))
    await until(lambda: server.count("godel_requests_waiting") == 1)
    await until(lambda: server.metrics.request_memory_bytes.value > 300)
    server.clock.advance(150)
    server.open("first")
    await client.answers(2)
    (line,) = lines(server)
    assert (line["api"], line["queue_ms"]) == ("Heartbeat", 150)


@pytest.mark.anyio
async def test_what_a_client_asked_to_wait_for_is_not_slow(serve: Serve) -> None:
    server = await serve()
    server.dispatcher.slow.configure(100)
    client = await server.connect()
    client.send(join("group"))
    await until(lambda: server.count("godel_requests_waiting") == 1)
    server.clock.advance(60_000)
    server.open("group")
    await client.answer()
    assert lines(server) == []


def test_lines_are_bounded_and_the_next_one_says_how_many_are_missing() -> None:
    logged, clock, metrics = LogCapture(), ManualClock(), Metrics()
    log = structlog.wrap_logger(None, processors=[logged])
    slow = SlowRequests(clock=clock, metrics=metrics, log=log)
    for _ in range(LINES_PER_SECOND + 5):
        note(slow)
    assert len(logged.entries) == LINES_PER_SECOND
    assert metrics.slow_requests.of("Produce").value == LINES_PER_SECOND + 5
    clock.advance(1_000)
    note(slow)
    note(slow)
    assert [entry.get("left_out") for entry in logged.entries[-2:]] == [5, None]


def test_a_negative_threshold_is_never_reached() -> None:
    slow = SlowRequests(clock=ManualClock(), metrics=Metrics(), log=structlog.get_logger())
    slow.configure(0)
    assert slow.threshold_s == 0
    slow.configure(-1)
    assert not slow.threshold_s <= 1e300
