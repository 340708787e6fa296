"""The same topics read from every broker in turns, nine rounds, while all of them run: whatever the
machine's memory is like at the moment, all brokers meet it."""

from __future__ import annotations

from figures import Row
from measurement import Measurement

LEAVES_OUT = ("mesh",)
"""What it keeps is in its own memory, not in the page cache."""
ROUNDS = 9
RECORDS = 500_000
TOPICS = {1: "one", 4: "four"}
"""By their partitions."""

ROWS = [
    Row("consume 1 KiB, 1 partition", "k/s", budget_ratio=1.0, more_is_better=True),
    Row("consume 1 KiB, 1 partition, CPU", "s/M", budget=0.4),
    Row("consume 1 KiB, 4 partitions", "k/s", budget_ratio=1.0, more_is_better=True),
    Row("consume 1 KiB, 4 partitions, CPU", "s/M", budget=0.4),
]


def prepare(bench: Measurement) -> None:
    bench.create_topics({topic: partitions for partitions, topic in TOPICS.items()})
    for partitions, topic in TOPICS.items():
        bench.load("produce", topic, bench.scaled(RECORDS), "-P", str(partitions))
    take(bench)  # a JVM gets faster
    bench.figures = {}


def take(bench: Measurement) -> None:
    for partitions, topic in TOPICS.items():
        name = f"consume 1 KiB, {partitions} partition{'s' * (partitions > 1)}"
        count = bench.scaled(RECORDS)
        bench.reads(name, topic, count, "-P", str(partitions), times=1)
