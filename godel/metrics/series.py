"""What a metric is made of: numbers that are counted, and those that are read when asked for.

Times are kept in seconds, for that is what a clock gives, and shown in milliseconds, as Kafka does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from operator import add
from typing import Generic, TypeAlias, TypeVar

TIME_BOUNDS_MS = (
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0,
    100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0,
)  # fmt: skip
"""The upper bounds of the buckets of every histogram; one more is above the last."""

Labels: TypeAlias = tuple[str, ...]


class Counter:
    """A number that only rises."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int = 1) -> None:
        self.value += amount


class Gauge:
    """A number that rises and falls."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int = 1) -> None:
        self.value += amount

    def set(self, value: int) -> None:
        self.value = value


TIME_BOUNDS_S = tuple(bound_ms / 1000.0 for bound_ms in TIME_BOUNDS_MS)


class Histogram:
    """How often a duration fell between two of the bounds, and the sum of all."""

    __slots__ = ("counts", "sum_s")

    def __init__(self, counts: list[int] | None = None, sum_s: float = 0.0) -> None:
        self.counts = counts or [0] * (len(TIME_BOUNDS_S) + 1)
        self.sum_s = sum_s

    @property
    def value(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def observe(self, took_s: float) -> None:
        self.counts[bisect_left(TIME_BOUNDS_S, took_s)] += 1
        self.sum_s += took_s

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(list(map(add, self.counts, other.counts)), self.sum_s + other.sum_s)


class Declared:
    """What is said of a metric, once."""

    __slots__ = ("doc", "kind", "labels", "name", "unit")

    def __init__(self, kind: str, name: str, doc: str, *, labels: Labels, unit: str) -> None:
        self.kind = kind
        """counter, gauge or histogram: Prometheus' word."""
        self.name = name
        self.doc = doc
        self.labels = labels
        self.unit = unit
        """ms, bytes; empty where things are counted."""


Series = TypeVar("Series", Counter, Gauge, Histogram)


class Family(Declared, Generic[Series]):
    """All series of one name: one for each combination of label values seen so far.

    Label values come from closed sets (APIs, error codes, reasons), never from a client's text:
    so the number of series is bounded.
    """

    __slots__ = ("_series", "_type")

    def __init__(
        self, series: type[Series], name: str, doc: str, *, labels: Labels = (), unit: str = ""
    ) -> None:
        super().__init__(series.__name__.lower(), name, doc, labels=labels, unit=unit)
        self._type: type[Series] = series
        self._series: dict[Labels, Series] = {}

    def of(self, *values: str) -> Series:
        """The series with these label values; look it up once where it is used often."""
        series = self._series.get(values)
        if series is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}, not {values}")
            series = self._series[values] = self._type()
        return series

    def rows(self) -> Iterator[Row]:
        """Every series."""
        for values, series in list(self._series.items()):
            yield values, series if isinstance(series, Histogram) else series.value


Row: TypeAlias = tuple[Labels, float | Histogram]
"""The value of one series, by its label values."""


class Reading(Declared):
    """A family that keeps nothing: `rows` reads it. Whoever knows the values sets `rows`."""

    __slots__ = ("rows",)

    def __init__(
        self, kind: str, name: str, doc: str, *, labels: Labels = (), unit: str = ""
    ) -> None:
        super().__init__(kind, name, doc, labels=labels, unit=unit)
        self.rows: Callable[[], Iterator[Row]] = lambda: iter(())


AnyFamily: TypeAlias = Family[Counter] | Family[Gauge] | Family[Histogram] | Reading


class Stages:
    """How many requests of one API at one version there were, and how long they took, by stage.

    Most wait for nothing, so the whole of their time is local, and are over before the first bound
    of the histograms. What each of them pays for is two additions, to `quick` and `quick_s`.
    """

    __slots__ = ("_late", "_prompt", "_queue", "_total", "quick", "quick_s", "remote")

    def __init__(self) -> None:
        self.quick = 0
        self.quick_s = 0.0
        self._prompt = Histogram()
        self._late = Histogram()
        self._queue = Histogram()
        self._total = Histogram()
        """Of those that waited."""
        self.remote = Histogram()

    def prompt(self, local_s: float) -> None:
        """A request that waited for nothing, of any length."""
        self._prompt.observe(local_s)

    def queued(self, *, queue_s: float, local_s: float) -> None:
        """A request that waited for its turn and for nothing else."""
        self._queue.observe(queue_s)
        self._late.observe(local_s)
        self._total.observe(queue_s + local_s)

    def waited(self, *, queue_s: float, local_s: float, remote_s: float) -> None:
        """A request that waited for more than its turn."""
        self._queue.observe(queue_s)
        self._late.observe(local_s)
        self.remote.observe(remote_s)
        self._total.observe(queue_s + local_s + remote_s)

    @property
    def requests(self) -> int:
        return self.total.value

    @property
    def queue(self) -> Histogram:
        return self._queue + _first_bucket(self.quick + self._prompt.value)

    @property
    def local(self) -> Histogram:
        return _first_bucket(self.quick, self.quick_s) + self._prompt + self._late

    @property
    def total(self) -> Histogram:
        return _first_bucket(self.quick, self.quick_s) + self._prompt + self._total


def _first_bucket(count: int, sum_s: float = 0.0) -> Histogram:
    return Histogram([count, *[0] * len(TIME_BOUNDS_S)], sum_s)
