"""What `godel bench` counts: records, bytes and latencies, and the live view of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from godel.cli.output import Column, columns, size
from godel.cli.times import format_duration
from godel.clock import Clock

if TYPE_CHECKING:
    from rich.table import Table

PERCENTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
LATENCIES = (*PERCENTILES, "max_ms")
SMALLEST_MS, GROWTH = 0.01, 1.02
BUCKETS = 1_000
"""Up to more than an hour, each 2 % wider than the one before."""
VIEWS_PER_S = 4


class Latencies:
    """Durations in buckets, so that a million takes no more room than one; within 1 %."""

    def __init__(self) -> None:
        self.max_ms = 0.0
        self._counts = [0] * BUCKETS
        self._count = 0

    def add(self, duration_ms: float) -> None:
        ratio = max(duration_ms / SMALLEST_MS, 1.0)
        self._counts[min(int(math.log(ratio, GROWTH)), BUCKETS - 1)] += 1
        self._count += 1
        self.max_ms = max(self.max_ms, duration_ms)

    def at(self, share: float) -> float | None:
        """The duration that this share of all stayed below."""
        if not self._count:
            return None
        wanted, passed = share * self._count, 0
        for index, count in enumerate(self._counts):
            passed += count
            if passed >= wanted:
                middle_ms: float = SMALLEST_MS * GROWTH ** (index + 0.5)
                return min(middle_ms, self.max_ms)
        return self.max_ms


class Measurement:
    """What a benchmark has counted since it began."""

    def __init__(self, clock: Clock) -> None:
        self.records = 0
        self.size_bytes = 0
        self.latencies = Latencies()
        self._clock = clock
        self._began_ms = clock.monotonic_ms()
        self._ended_ms: float | None = None

    def begin(self) -> None:
        """What came before, preparing, does not count."""
        self._began_ms = self._clock.monotonic_ms()

    def end(self) -> None:
        self._ended_ms = self._clock.monotonic_ms()

    def count(self, records: int, size_bytes: int) -> None:
        self.records += records
        self.size_bytes += size_bytes

    def elapsed_ms(self) -> float:
        ended_ms = self._clock.monotonic_ms() if self._ended_ms is None else self._ended_ms
        return max(ended_ms - self._began_ms, 0.001)

    def row(self) -> dict[str, Any]:
        seconds = self.elapsed_ms() / 1000
        quantiles = {name: self.latencies.at(share) for name, share in PERCENTILES.items()}
        quantiles["max_ms"] = self.latencies.max_ms if quantiles["p50_ms"] is not None else None
        return {
            "records": self.records,
            "bytes": self.size_bytes,
            "seconds": round(seconds, 3),
            "records_per_s": round(self.records / seconds, 1),
            "bytes_per_s": round(self.size_bytes / seconds, 1),
            **{name: None if ms is None else round(ms, 3) for name, ms in quantiles.items()},
        }


DESCRIBED = [
    *columns("benchmark", "topic"),
    Column("records", "{:,}".format),
    Column("seconds", "{:.1f}".format),
    Column("records_per_s", "{:,.0f}".format),
    Column("bytes_per_s", lambda each: f"{size(int(each))}/s", title="throughput"),
    Column("latency_of"),
    *(Column(name, format_duration, title=name.removesuffix("_ms")) for name in LATENCIES),
]


@contextmanager
def live(what: str, measurement: Measurement) -> Iterator[None]:
    """Shows a measurement on a terminal while it grows; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live

    with Live(
        get_renderable=lambda: view(what, measurement),
        console=Console(stderr=True),
        refresh_per_second=VIEWS_PER_S,
        transient=True,
    ):
        yield


def view(what: str, measurement: Measurement) -> Table:
    """The live view: the figures of the result, as they stand."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right", min_width=12)
    table.add_row(what)
    row = measurement.row()
    for column in DESCRIBED:
        if column.key in row:
            table.add_row(column.heading, column.cell(row))
    return table
