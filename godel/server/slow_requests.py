"""The log of slow requests: one line each, with the time by stage (`slow.request.log.ms`).

What a request's own client asked to wait for does not count: the long poll of a Fetch, the round of
a JoinGroup. Nor does what a quota makes it wait. What a request that has been read waits for an
earlier one of its connection does, as the time in the queue.
At most so many lines a second are written; the next one says how many were left out.
"""

from __future__ import annotations

import math

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.metrics import TIME_BOUNDS_S, Metrics

LINES_PER_SECOND = 10
SECOND_MS = 1000.0


class SlowRequests:
    """One per dispatcher."""

    def __init__(self, *, clock: Clock, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self.configure(-1)
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._second_began_ms = -math.inf
        self._lines = 0
        self._left_out = 0

    def configure(self, threshold_ms: int) -> None:
        """Follow the setting; negative: none is slow."""
        self.threshold_s = math.inf if threshold_ms < 0 else threshold_ms / 1000.0
        self.closer_look_s = min(self.threshold_s, TIME_BOUNDS_S[0])
        """Below, a request is neither slow nor out of the histograms' first bucket."""

    def note(
        self,
        api: str,
        version: int,
        *,
        client_id: str | None,
        request_bytes: int,
        queue_s: float,
        local_s: float,
        remote_s: float = 0.0,
    ) -> None:
        """Count a request that was slow, and write about it."""
        self._metrics.slow_requests.of(api).add()
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._second_began_ms >= SECOND_MS:
            self._second_began_ms, self._lines = now_ms, 0
        if self._lines >= LINES_PER_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        left_out, self._left_out = self._left_out, 0
        self._log.info(
            "slow_request",
            api=api,
            version=version,
            client_id=client_id,
            request_bytes=request_bytes,
            queue_ms=round(queue_s * 1000.0, 3),
            local_ms=round(local_s * 1000.0, 3),
            remote_ms=round(remote_s * 1000.0, 3),
            **({"left_out": left_out} if left_out else {}),
        )
