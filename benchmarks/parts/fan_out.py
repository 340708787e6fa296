"""One topic read by ten consumers at once, from its beginning."""

from __future__ import annotations

from figures import rate_rows
from measurement import Measurement

READERS = 10
COUNT = 300_000
NAME = f"consume 1 KiB, {READERS} readers of one partition"

ROWS = rate_rows(NAME)


def take(bench: Measurement) -> None:
    bench.create_topics({"one": 1})
    count = bench.scaled(COUNT)
    bench.load("produce", "one", count)
    bench.rate(NAME, "consume", ["one"] * READERS, count)
