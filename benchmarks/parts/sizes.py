"""Records of 100 B, 1 KiB and 10 KiB, in one partition and twelve, from one producer and eight."""

from __future__ import annotations

from figures import rate_rows
from measurement import Measurement

SIZES = {"100 B": (100, 800_000), "1 KiB": (1024, 400_000), "10 KiB": (10_240, 40_000)}
"""Bytes of a record, and how many are written."""
SPREADS = {"1 partition": 1, "12 partitions": 12}
PRODUCERS = (1, 8)


def written(size: str, spread: str, producers: int) -> str:
    return f"produce {size}, {spread}, {producers} producer{'s' * (producers > 1)}"


def read(size: str, spread: str) -> str:
    return f"consume {size}, {spread}"


ROWS = [
    row
    for size in SIZES
    for spread in SPREADS
    for name in (*(written(size, spread, each) for each in PRODUCERS), read(size, spread))
    for row in rate_rows(name, with_bytes=True)
]


def take(bench: Measurement) -> None:
    bench.create_topics({"warm": 1})
    bench.load("produce", "warm", bench.scaled(200_000))
    for size, (record_bytes, count) in SIZES.items():
        count = bench.scaled(count)
        for spread, partitions in SPREADS.items():
            over = ("-s", str(record_bytes), "-P", str(partitions))
            for producers in PRODUCERS:
                topic = f"t-{record_bytes}-{partitions}-{producers}"
                bench.create_topics({topic: partitions})
                bench.rate(
                    written(size, spread, producers),
                    "produce",
                    [topic] * producers,
                    count // producers,
                    *over,
                    record_bytes=record_bytes,
                )
            # What eight have written: batches of several producers in turn.
            bench.rate(
                read(size, spread), "consume", [topic], count, *over, record_bytes=record_bytes
            )
