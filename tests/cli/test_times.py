"""Times and durations as people write them."""

from __future__ import annotations

import pytest

from godel.cli.times import format_duration, format_time, parse_duration, parse_time

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("90s", 90_000), ("1h30m", 5_400_000), ("500ms", 500), ("1.5s", 1_500), ("2d", 172_800_000),
     ("PT1H", 3_600_000), ("P1DT1M", 86_460_000), ("PT0S", 0), ("P1W", 604_800_000)],
)  # fmt: skip
def test_durations(text: str, duration_ms: int) -> None:
    assert parse_duration(text) == duration_ms


@pytest.mark.parametrize("text", ["", "1", "h", "1y", "P", "PT", "-1h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [("@5", 5), ("-1s", NOW_MS - 1000), ("1970-01-02", 86_400_000),
     ("1970-01-01T00:00:01Z", 1_000), ("1970-01-01T01:00:00.5+01:00", 500)],
)  # fmt: skip
def test_times(text: str, time_ms: int) -> None:
    assert parse_time(text, NOW_MS) == time_ms


@pytest.mark.parametrize("text", ["", "yesterday", "@x", "-x", "2026-13-01"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_time(text, NOW_MS)


def test_times_are_shown_in_utc() -> None:
    assert format_time(NOW_MS + 7) == "2023-11-14T22:13:20.007Z"
    assert format_time(2**62) == str(2**62)


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0.5, "0.50 ms"),
        (12, "12 ms"),
        (1500, "1.5 s"),
        (120_000, "2.0 min"),
        (7.2e6, "2.0 h"),
        (6.048e8, "7.0 days"),
    ],
)
def test_durations_are_shown_in_one_unit(duration_ms: float, text: str) -> None:
    assert format_duration(duration_ms) == text
