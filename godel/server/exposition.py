"""The metrics as Prometheus reads them, in its text format.

Gathered and written on the event loop, a few rows at a time, with requests in between: a thread
would take the interpreter away from the loop for milliseconds at each of its system calls. It stops
after a while, and takes so many series of each metric: ten thousand partitions must not stop the
broker, nor a client that makes up names fill a database. What was left out is said by a metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, cast

import anyio
from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.metrics import TIME_BOUNDS_MS, AnyFamily, Declared, Histogram, Metrics, Row

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MAX_SERIES = 10_000
"""Of one metric in one answer."""

GATHERING_MS = 2_000.0
"""After that nothing more is read; what is still missing is left out."""

SLICE_MS = 2.0
"""So long gathering may keep the event loop at a time."""

LINES_AT_ONCE = 100


async def expose(metrics: Metrics, clock: Clock, log: FilteringBoundLogger) -> bytes:
    """Everything there is; the metric that says what is missing comes last."""
    gathering = Gathering(clock)
    text = [process_text()]
    for family in metrics.families():
        try:
            text += await gathering.text(family)
        except Exception as error:  # a bug ends its metric, not the others
            metrics.bugs.add()
            log.error("metric_not_read", metric=family.name, exc_info=error)
            gathering.left_out.add(family.name)
    if gathering.left_out:
        missing = [((name,), 1) for name in sorted(gathering.left_out)]
        text.append(text_of(metrics.left_out, missing, with_head=True))
    return b"".join(text)


class Gathering:
    """One round of reading, with the time that it may take."""

    def __init__(self, clock: Clock) -> None:
        self._now_ms = clock.monotonic_ms
        self._ends_ms = self._now_ms() + GATHERING_MS
        self._slice_ends_ms = self._now_ms() + SLICE_MS
        self.left_out: set[str] = set()
        """The metrics that were not read to their end."""

    async def text(self, declared: AnyFamily) -> list[bytes]:
        """One metric, in pieces; nothing where it has no series."""
        text: list[bytes] = []
        piece: list[Row] = []
        lines = 0
        for count, row in enumerate(declared.rows()):
            if count >= MAX_SERIES or self._now_ms() >= self._ends_ms:
                self.left_out.add(declared.name)
                break
            piece.append(row)
            lines += len(row[1].counts) if isinstance(row[1], Histogram) else 1
            if lines >= LINES_AT_ONCE:
                text.append(text_of(declared, piece, with_head=not text))
                piece, lines = [], 0
            await self._breathe()
        if piece:
            text.append(text_of(declared, piece, with_head=not text))
            await self._breathe()
        return text

    async def _breathe(self) -> None:
        """Let requests in between, when it is their turn."""
        if self._now_ms() >= self._slice_ends_ms:
            await anyio.lowlevel.checkpoint()
            self._slice_ends_ms = self._now_ms() + SLICE_MS


def load_library() -> None:
    """Load what writes the text, before the first client comes: it takes a while."""
    import prometheus_client  # noqa: F401  # most brokers show no metrics


class _Shown:
    """What the library writes out."""

    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def process_text() -> bytes:
    """What the library knows of this process."""
    from prometheus_client import ProcessCollector, generate_latest

    metrics = ProcessCollector(registry=None).collect()
    return generate_latest(cast("Collector", _Shown(*metrics)))


def text_of(declared: Declared, rows: Iterable[Row], *, with_head: bool) -> bytes:
    """Some rows of a metric. The head, two lines, stands before the first ones only."""
    from prometheus_client import generate_latest

    text = generate_latest(cast("Collector", _Shown(_metric(declared, rows))))
    return text if with_head else text.split(b"\n", 2)[2]


def _metric(declared: Declared, rows: Iterable[Row]) -> Metric:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    name, doc, labels = declared.name, declared.doc, declared.labels
    histograms = HistogramMetricFamily(name, doc, labels=labels)
    is_counter = declared.kind == "counter"
    numbers = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, doc, labels=labels)
    for values, value in rows:
        if isinstance(value, Histogram):
            histograms.add_metric(values, buckets(value), value.sum_s * 1000.0)
        else:
            numbers.add_metric(values, value)
    return histograms if declared.kind == "histogram" else numbers


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Each upper bound with how many were not above it."""
    bounds = (*map(str, TIME_BOUNDS_MS), "+Inf")
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
