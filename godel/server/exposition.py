"""The metrics as Prometheus reads them: gathered on the event loop, written in a worker thread.

Gathering lets requests in between, stops after a while, and takes so many series of each metric:
ten thousand partitions must not stop the broker, nor a client that makes up names fill a database.
What was left out is said by a metric of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import anyio

from godel.clock import Clock
from godel.metrics import (
    TIME_BOUNDS_MS,
    AnyFamily,
    Counter,
    Declared,
    Family,
    Gauge,
    Histogram,
    Labels,
    Metrics,
    Reading,
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


class CountedTimes(NamedTuple):
    """A histogram at one moment."""

    labels: Labels
    counts: tuple[int, ...]
    sum_ms: float


class Gathered(NamedTuple):
    """What was read of one metric."""

    declared: Declared
    rows: list[Row]
    times: list[CountedTimes]


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
    found.append(Gathered(metrics.left_out, [((name,), 1) for name in gathering.left_out], []))
    return [each for each in found if each.rows or each.times]


class Gathering:
    """One round of reading, with the time that it may take."""

    def __init__(self, clock: Clock) -> None:
        self._now_ms = clock.monotonic_ms
        self._ends_ms = self._now_ms() + GATHERING_MS
        self._slice_ends_ms = self._now_ms() + SLICE_MS
        self.left_out: list[str] = []
        """The metrics that were not read to their end."""

    async def read(self, family: AnyFamily) -> Gathered:
        if not isinstance(family, Reading):
            return kept(family)
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
        return Gathered(family, rows, [])


def kept(family: Family[Counter] | Family[Gauge] | Family[Histogram]) -> Gathered:
    """What a family keeps; its labels come from closed sets, so it is never large."""
    rows: list[Row] = []
    times: list[CountedTimes] = []
    for labels, series in family.items():
        if isinstance(series, Histogram):
            times.append(CountedTimes(labels, tuple(series.counts), series.sum_ms))
        else:
            rows.append((labels, series.value))
    return Gathered(family, rows, times)


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
    match declared.kind:
        case "counter":
            counter = CounterMetricFamily(name, doc, labels=labels)
            for values, value in gathered.rows:
                counter.add_metric(values, value)
            return counter
        case "histogram":
            histogram = HistogramMetricFamily(name, doc, labels=labels)
            for values, counts, sum_ms in gathered.times:
                histogram.add_metric(values, buckets(counts), sum_ms)
            return histogram
        case _:
            gauge = GaugeMetricFamily(name, doc, labels=labels)
            for values, value in gathered.rows:
                gauge.add_metric(values, value)
            return gauge


def buckets(counts: tuple[int, ...]) -> list[tuple[str, float]]:
    """Each upper bound with how many were not above it."""
    total = 0
    cumulative: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, TIME_BOUNDS_MS), "+Inf"), counts, strict=True):
        total += count
        cumulative.append((bound, total))
    return cumulative
