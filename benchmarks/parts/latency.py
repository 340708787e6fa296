"""From the producer to the consumer: how old a record is when it arrives, idle and at half load.

Half load is half of what the broker took in the same run, in requests of a millisecond's records.
"""

from __future__ import annotations

from figures import Row
from measurement import Measurement

PERCENTILES = ("50", "99", "99.9")
IDLE_RATE = 100
SECONDS = 5

ROWS = [
    *(Row(f"end to end, {IDLE_RATE} a second, p{each}", "ms") for each in PERCENTILES),
    Row("half load", "k/s", more_is_better=True),
    *(Row(f"end to end, half load, p{each}", "ms") for each in PERCENTILES),
    *(Row(f"ack, half load, p{each}", "ms") for each in PERCENTILES),
]


def take(bench: Measurement) -> None:
    bench.create_topics(dict.fromkeys(("idle", "full", "ends", "acks"), 1))
    bench.load("e2e", "idle", IDLE_RATE, "-r", str(IDLE_RATE), "-l", "0")
    report, _ = bench.load("e2e", "idle", IDLE_RATE * SECONDS, "-r", str(IDLE_RATE), "-l", "0")
    bench.percentiles(f"end to end, {IDLE_RATE} a second", report, *PERCENTILES)
    bench.load("produce", "full", bench.scaled(200_000), "-l", "1")
    report, _ = bench.load("produce", "full", bench.scaled(500_000), "-l", "1")
    rate = min(report["per_s"] / 2, 100_000)  # beyond it the driver is the limit
    bench.figures["half load"] = rate / 1000
    pace = ("-r", f"{rate:.0f}", "-l", "1")
    count = int(rate * SECONDS)
    report, _ = bench.load("e2e", "ends", count, *pace)
    bench.percentiles("end to end, half load", report, *PERCENTILES)
    report, _ = bench.load("produce", "acks", count, *pace)
    bench.percentiles("ack, half load", report, *PERCENTILES)
