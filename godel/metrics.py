"""What the broker counts, each thing declared once: name, one sentence, label names.

An instance belongs to one broker; nothing here is global. A counter is a plain integer behind
`add`, cheap enough for the path of every request. `snapshot` reads all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar


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


Series = TypeVar("Series", Counter, Gauge)


class Family(Generic[Series]):
    """All series of one name: one for each combination of label values seen so far.

    Label values come from closed sets (APIs, error codes, reasons), never from a client's text:
    so the number of series is bounded.
    """

    __slots__ = ("_series", "_type", "doc", "labels", "name")

    def __init__(self, kind: type[Series], name: str, doc: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.doc = doc
        self.labels = labels
        self._type: type[Series] = kind
        self._series: dict[tuple[str, ...], Series] = {}

    @property
    def kind(self) -> str:
        """Prometheus' word for it."""
        return "counter" if self._type is Counter else "gauge"

    def of(self, *values: str) -> Series:
        """The series with these label values; look it up once where it is used often."""
        series = self._series.get(values)
        if series is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}, not {values}")
            series = self._series[values] = self._type()
        return series

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], int]]:
        return ((values, series.value) for values, series in self._series.items())


class Metrics:
    """Every metric of one broker."""

    def __init__(self) -> None:
        self._families: dict[str, Family[Counter] | Family[Gauge]] = {}

        self.requests = self._counters(
            "godel_requests_total", "Requests taken from clients.", "api"
        )
        self.request_errors = self._counters(
            "godel_request_errors_total",
            "Requests answered with an error at the top level or refused as a whole.",
            "api",
            "error",
        )
        self.requests_waiting = self._gauge(
            "godel_requests_waiting", "Requests whose answer waits for something to happen."
        )
        self.request_memory_bytes = self._gauge(
            "godel_request_memory_bytes",
            "Bytes of requests that are being received, queued or waited for.",
        )
        self.bugs = self._counter(
            "godel_bugs_total", "Requests that met an error which the broker did not foresee."
        )
        self.bytes_received = self._counter(
            "godel_bytes_received_total", "Bytes read from client connections."
        )
        self.bytes_sent = self._counter(
            "godel_bytes_sent_total", "Bytes handed to client connections for sending."
        )
        self.connections = self._gauge("godel_connections", "Client connections that are open.")
        self.connections_accepted = self._counter(
            "godel_connections_accepted_total", "Client connections that were let in."
        )
        self.connections_refused = self._counters(
            "godel_connections_refused_total",
            "Client connections closed at once because a limit was reached.",
            "limit",
        )
        self.connections_closed = self._counters(
            "godel_connections_closed_total", "Client connections that ended, by cause.", "reason"
        )
        self.frames_oversized = self._counter(
            "godel_frames_oversized_total",
            "Requests refused because their size was negative or above the limit.",
        )
        self.corrupt_reads = self._counter(
            "godel_corrupt_reads_total",
            "Partitions of Fetch requests that met a damaged batch: CORRUPT_MESSAGE.",
        )
        self.compactions = self._counters(
            "godel_compactions_total",
            "Compactions of partitions; one that failed leaves its partition out until restart.",
            "outcome",
        )
        self.reading_paused = self._counters(
            "godel_reading_paused_total",
            "Times that reading from a connection was paused to bound memory.",
            "cause",
        )
        self._declare_quotas()

    def _declare_quotas(self) -> None:
        self.throttled = self._counters(
            "godel_throttled_total", "Requests that were above a client quota.", "quota"
        )
        self.throttle_ms = self._counters(
            "godel_throttle_ms_total",
            "Milliseconds for which clients were told to wait because of a quota.",
            "quota",
        )

    def _counter(self, name: str, doc: str) -> Counter:
        return self._counters(name, doc).of()

    def _gauge(self, name: str, doc: str) -> Gauge:
        family = Family(Gauge, name, doc, ())
        self._families[name] = family
        return family.of()

    def _counters(self, name: str, doc: str, *labels: str) -> Family[Counter]:
        family = Family(Counter, name, doc, labels)
        self._families[name] = family
        return family

    def families(self) -> list[Family[Counter] | Family[Gauge]]:
        return list(self._families.values())

    def snapshot(self) -> dict[str, int]:
        """Every series by its name and labels, as in `godel_requests_total{api=Fetch}`."""
        values: dict[str, int] = {}
        for family in self._families.values():
            for labels, value in family:
                pairs = ",".join(
                    f"{name}={text}" for name, text in zip(family.labels, labels, strict=True)
                )
                values[f"{family.name}{{{pairs}}}" if pairs else family.name] = value
        return values
