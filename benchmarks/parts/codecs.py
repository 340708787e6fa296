"""Each codec at 1 KiB, and acks=1 beside acks=all. Clients compress; brokers keep what they get.

Without zstd, which the driver's librdkafka is built without.
"""

from __future__ import annotations

from figures import rate_rows
from measurement import Measurement

CODECS = ("none", "gzip", "snappy", "lz4")
COUNT = 300_000

ROWS = [
    row
    for name in (
        *(f"{verb} 1 KiB, {codec}" for codec in CODECS for verb in ("produce", "consume")),
        "produce 1 KiB, acks=1",
    )
    for row in rate_rows(name)
]


def take(bench: Measurement) -> None:
    bench.create_topics({"warm": 1, "one": 1} | dict.fromkeys(CODECS, 1))
    bench.load("produce", "warm", bench.scaled(200_000))
    count = bench.scaled(COUNT)
    for codec in CODECS:
        bench.rate(f"produce 1 KiB, {codec}", "produce", [codec], count, "-z", codec)
        bench.rate(f"consume 1 KiB, {codec}", "consume", [codec], count)
    bench.rate("produce 1 KiB, acks=1", "produce", ["one"], count, "-a", "1")
