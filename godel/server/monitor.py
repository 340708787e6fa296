"""What machines may ask of a broker beside its clients (`metrics.listener`): metrics and health.

    /metrics    everything of `godel/metrics/`, as Prometheus reads it
    /healthz    200: the process lives and its event loop turns, also while logs are recovered
    /readyz     200: clients are served; 503 with the reason otherwise

It listens before anything else is done and until everything else is: a start that takes long is
seen as one. There is nobody to ask without the setting, and then nothing of this runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from structlog.typing import FilteringBoundLogger

from godel.broker.broker import Broker
from godel.broker.context import Endpoint
from godel.clock import Clock
from godel.config.broker import BrokerConfig
from godel.config.listener import parse_listener
from godel.metrics import Histogram, Metrics
from godel.server.exposition import CONTENT_TYPE, expose, load_library
from godel.server.http import HttpServer, Page, text_page

PROBE_MS = 1_000.0


class Monitor:
    """Answers the questions, about a broker once there is one."""

    def __init__(self, metrics: Metrics, clock: Clock, log: FilteringBoundLogger) -> None:
        self.listens_on: Endpoint | None = None
        self.broker: Broker | None = None
        """Set when clients are let in."""
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._exposing = anyio.Lock()

    async def answer(self, path: str) -> Page:
        match path:
            case "/metrics":
                async with self._exposing:  # one at a time: it is work
                    text = await expose(self._metrics, self._clock, self._log)
                return Page(200, text, CONTENT_TYPE)
            case "/healthz":
                return text_page(200, "alive")
            case "/readyz":
                reason = self.reason_not_ready()
                return text_page(503, reason) if reason else text_page(200, "ready")
            case _:
                return text_page(404, "there are /metrics, /healthz and /readyz")

    def reason_not_ready(self) -> str:
        """Why clients are not served; empty: they are.

        One data directory of several that has failed is told by the metrics, not here: whoever
        takes the broker out of service for it takes the other directories' partitions away, too.
        """
        if self.broker is None:
            return "the broker is starting"
        return "the broker is stopping" if self.broker.is_stopping else ""


@asynccontextmanager
async def monitored(
    config: BrokerConfig, metrics: Metrics, clock: Clock, log: FilteringBoundLogger
) -> AsyncIterator[Monitor]:
    """Listen until the block ends, if the configuration says where. Raises OSError."""
    monitor = Monitor(metrics, clock, log)
    if not config.metrics_listener:
        yield monitor
        return
    load_library()
    server = HttpServer(monitor.answer, clock=clock, bugs=metrics.bugs, log=log)
    address = parse_listener(config.metrics_listener)
    try:
        monitor.listens_on = await server.bind(address.host, address.port)
    except OSError as error:
        raise OSError(
            error.errno,
            f"metrics.listener: cannot listen on {address.host}:{address.port}: {error.strerror}",
        ) from error
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        tasks.start_soon(watch_event_loop, clock, metrics.event_loop_lag)
        try:
            yield monitor
        except Exception as error:  # noqa: BLE001  # raised below: a task group would wrap it
            failure = error
        finally:
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def watch_event_loop(clock: Clock, lag: Histogram) -> None:
    """Note how late the event loop is, until cancelled."""
    while True:
        due_s = clock.elapsed_s() + PROBE_MS / 1000.0
        await clock.sleep(PROBE_MS)
        lag.observe(max(0.0, clock.elapsed_s() - due_s))
