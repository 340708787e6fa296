"""What a benchmark counts."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from godel.cli.measuring import GROWTH, SMALLEST_MS, Latencies, Measurement, live, view
from godel.clock import ManualClock


@given(st.lists(st.floats(SMALLEST_MS, 1e6), min_size=1, max_size=50), st.sampled_from([0.5, 0.99]))
def test_percentiles_are_within_a_bucket_of_the_truth(durations: list[float], share: float) -> None:
    latencies = Latencies()
    for duration_ms in durations:
        latencies.add(duration_ms)
    at = max(-int(-share * len(durations) // 1) - 1, 0)
    truth = sorted(durations)[at]
    assert truth / GROWTH**2 <= (latencies.at(share) or 0) <= truth * GROWTH**2
    assert latencies.max_ms == max(durations)


def test_without_latencies_there_are_no_percentiles() -> None:
    assert Latencies().at(0.5) is None
    assert Measurement(ManualClock()).row()["max_ms"] is None


def test_durations_beyond_every_bucket_are_taken() -> None:
    latencies = Latencies()
    latencies.add(0.0)
    latencies.add(1e12)
    assert latencies.max_ms == 1e12


def test_preparing_does_not_count_and_the_end_is_kept() -> None:
    clock = ManualClock()
    measurement = Measurement(clock)
    clock.advance(60_000)
    measurement.begin()
    measurement.count(10, 1000)
    clock.advance(2_000)
    measurement.end()
    clock.advance(60_000)
    row = measurement.row()
    assert (row["seconds"], row["records_per_s"], row["bytes_per_s"]) == (2.0, 5.0, 500.0)


def test_the_view_shows_the_figures() -> None:
    clock = ManualClock()
    measurement = Measurement(clock)
    measurement.count(1234, 5678)
    measurement.latencies.add(3.0)
    clock.advance(1_000)
    console = Console(width=60, file=io.StringIO())
    console.print(view("produce: flights", measurement))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert all(each in shown for each in ("produce: flights", "1,234", "5.5 KiB/s", "3.00 ms"))


def test_a_pipe_gets_no_view(capsys: pytest.CaptureFixture[str]) -> None:
    with live("produce", Measurement(ManualClock())):
        pass
    assert capsys.readouterr().err == ""
