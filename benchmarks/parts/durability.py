"""What an acknowledgement is worth: acks=1 beside acks=all, and 64 producers, who share a sync.

Gödel durable answers acks=all after fdatasync; the others do not sync.
"""

from __future__ import annotations

from figures import Row, rate_rows
from measurement import Measurement

PRODUCERS = 64
COUNT = 300_000
MANY = f"produce 1 KiB, {PRODUCERS} producers, acks=all"

ROWS = [
    *rate_rows("produce 1 KiB, acks=1"),
    *rate_rows("produce 1 KiB, acks=all"),
    Row(MANY, "k/s", more_is_better=True, durable_ratio=0.5),
    Row(f"{MANY}, CPU", "s/M"),
]


def take(bench: Measurement) -> None:
    bench.create_topics({"warm": 1, "one": 1, "all": 1, "many": 12})
    bench.load("produce", "warm", bench.scaled(300_000))
    count = bench.scaled(COUNT)
    bench.rate("produce 1 KiB, acks=1", "produce", ["one"], count, "-a", "1")
    bench.rate("produce 1 KiB, acks=all", "produce", ["all"], count)
    each = max(count // PRODUCERS, 1)
    bench.rate(MANY, "produce", ["many"] * PRODUCERS, each, "-P", "12")
