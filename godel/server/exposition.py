"""The metrics as Prometheus reads them: gathered on the event loop, written in a worker thread.

Gathering lets requests in between, stops after a while, and takes so many series of each metric:
ten thousand partitions must not stop the broker, nor a client that makes up names fill a database.
What was left out is said by a metric of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import anyio

from godel.clock import Clock
from godel.metrics import (
    TIME_BOUNDS_MS,
    AnyFamily,
    Declared,
    Histogram,
    Metrics,
    Row,
)

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

MAX_SERIES = 10_000
"""Of one metric in one answer."""

GATHERING_MS = 2_000.0
"""Longer than that nothing is read; what is still missing is left out."""

SLICE_MS = 5.0
"""So long reading may keep the event loop at a time."""


class Gathered(NamedTuple):
    """What was read of one metric."""

    declared: Declared
    rows: list[Row]


class Exposition(NamedTuple):
    """An answer to Prometheus."""

    content_type: str
    body: bytes


async def expose(metrics: Metrics, clock: Clock, accept: str) -> Exposition:
    """Everything, in the format that the Accept header asks for."""
    gathered = await gather(metrics, clock)
    return await anyio.to_thread.run_sync(write, gathered, accept)


async def gather(metrics: Metrics, clock: Clock) -> list[Gathered]:
    """Read every metric. The one that says what is missing comes last."""
    gathering = Gathering(clock)
    found = [await gathering.read(each) for each in metrics.families()]
    found.append(Gathered(metrics.left_out, [((name,), 1) for name in gathering.left_out]))
    return [each for each in found if each.rows]


class Gathering:
    """One round of reading, with the time that it may take."""

    def __init__(self, clock: Clock) -> None:
        self._now_ms = clock.monotonic_ms
        self._ends_ms = self._now_ms() + GATHERING_MS
        self._slice_ends_ms = self._now_ms() + SLICE_MS
        self.left_out: list[str] = []
        """The metrics that were not read to their end."""

    async def read(self, family: AnyFamily) -> Gathered:
        rows: list[Row] = []
        for row in family.rows():
            now_ms = self._now_ms()
            if len(rows) >= MAX_SERIES or now_ms >= self._ends_ms:
                self.left_out.append(family.name)
                break
            rows.append(row)
            if now_ms >= self._slice_ends_ms:
                await anyio.lowlevel.checkpoint()
                self._slice_ends_ms = self._now_ms() + SLICE_MS
        return Gathered(family, rows)


# In the worker thread. The library is loaded when somebody asks for the first time.


def write(gathered: list[Gathered], accept: str) -> Exposition:
    """The text; with what the library knows of this process."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    _Collector(gathered, registry)
    encode, content_type = choose_encoder(accept)
    return Exposition(content_type, encode(registry))


class _Collector:
    """Shows the library what was gathered."""

    def __init__(self, gathered: list[Gathered], registry: CollectorRegistry) -> None:
        self._gathered = gathered
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._gathered)


def _metric(gathered: Gathered) -> Metric:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    declared = gathered.declared
    name, doc, labels = declared.name, declared.doc, declared.labels
    histograms = HistogramMetricFamily(name, doc, labels=labels)
    is_counter = declared.kind == "counter"
    numbers = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, doc, labels=labels)
    for values, value in gathered.rows:
        if isinstance(value, Histogram):
            histograms.add_metric(values, buckets(value), value.sum_s * 1000.0)
        else:
            numbers.add_metric(values, value)
    return histograms if declared.kind == "histogram" else numbers


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Each upper bound with how many were not above it."""
    bounds = (*map(str, TIME_BOUNDS_MS), "+Inf")
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
