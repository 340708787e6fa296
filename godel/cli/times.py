"""Times and durations as people write them.

    time      2026-01-31T12:00:00Z | 2026-01-31 | @1700000000000 (milliseconds) | -1h (ago)
    duration  90s | 15m | 1h30m | 2d | 500ms, or ISO 8601 as Kafka's tools want it: PT1H | P2DT3H

A time without a zone is UTC, as in Kafka's tools.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

_SIMPLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?"
    r"(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)


def parse_duration(text: str) -> int:
    """Milliseconds. Raises `ValueError`."""
    if _SIMPLE.fullmatch(text):
        return round(sum(float(n) * UNITS_MS[unit] for n, unit in _PART.findall(text)))
    found = _ISO.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no duration: 90s, 15m, 1h30m, 2d or PT1H")
    parts = found.groupdict()
    return round(sum(float(parts[unit] or 0) * UNITS_MS[unit] for unit in parts))


def parse_time(text: str, now_ms: int) -> int:
    """Milliseconds since the epoch. Raises `ValueError`."""
    if text.startswith("@"):
        if not text[1:].isdecimal():
            raise ValueError(f"{text!r} is no time: @ and milliseconds since 1970")
        return int(text[1:])
    if text.startswith("-"):
        return now_ms - parse_duration(text[1:])
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: 2026-01-31T12:00:00Z, 2026-01-31, @1700000000000 or -1h"
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1000)


def format_time(time_ms: int) -> str:
    """A time in UTC with milliseconds; what is no time stays the number that it is."""
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(time_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def format_duration(duration_ms: float) -> str:
    """A duration in one unit that fits."""
    if duration_ms < 1_000:
        return f"{duration_ms:.2f} ms" if duration_ms < 10 else f"{duration_ms:.0f} ms"
    if duration_ms < 120_000:
        return f"{duration_ms / 1_000:.1f} s"
    if duration_ms < 7_200_000:
        return f"{duration_ms / 60_000:.1f} min"
    if duration_ms < 172_800_000:
        return f"{duration_ms / 3_600_000:.1f} h"
    return f"{duration_ms / 86_400_000:.1f} days"
