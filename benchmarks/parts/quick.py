"""The rows of the design's budget: start, memory, rates and CPU at 1 KiB, requests, latency."""

from __future__ import annotations

import time

from figures import Row, rate_rows
from measurement import Measurement

SETTLE_S = 3.0

ROWS = [
    Row("start on an empty folder", "ms", budget=300),
    Row("memory, idle", "MiB", budget=45),
    Row("produce 1 KiB, 1 partition", "k/s", budget_ratio=1.2, more_is_better=True),
    Row("produce 1 KiB, 1 partition, CPU", "s/M", budget=1.4),
    Row("produce 1 KiB, 4 partitions", "k/s", budget_ratio=1.2, more_is_better=True),
    Row("produce 1 KiB, 4 partitions, CPU", "s/M", budget=1.6),
    Row("produce 1 KiB, idempotent", "k/s", budget_ratio=1.2, more_is_better=True),
    Row("produce 1 KiB, idempotent, CPU", "s/M", budget=2.0),
    *rate_rows("produce 100 B"),
    Row("consume 1 KiB, 1 partition", "k/s", budget_ratio=1.0, more_is_better=True),
    Row("consume 1 KiB, 1 partition, CPU", "s/M", budget=0.4),
    Row("consume 1 KiB, 4 partitions", "k/s", budget_ratio=1.0, more_is_better=True),
    Row("consume 1 KiB, 4 partitions, CPU", "s/M", budget=0.4),
    *rate_rows("consume 100 B"),
    Row("unbatched produce 100 B", "k/s", more_is_better=True),
    Row("unbatched produce 100 B, CPU each", "µs", budget=45),
    Row("ack one at a time, p50", "ms", budget_ratio=1.0),
    Row("ack one at a time, p99", "ms", budget_ratio=1.0),
    Row("ack at 20 k/s, p50", "ms"),
    Row("ack at 20 k/s, p99", "ms", budget_ratio=1.0),
    Row("memory, loaded", "MiB", budget=150),
]


def take(bench: Measurement) -> None:
    bench.starts("start on an empty folder")
    time.sleep(SETTLE_S)
    bench.figures["memory, idle"] = bench.broker.memory_mib()
    bench.create_topics(
        {"warm": 1, "one": 1, "four": 4, "sequenced": 1, "small": 1, "single": 1, "ack": 1}
    )
    bench.load("produce", "warm", bench.scaled(200_000))
    bench.load("consume", "warm", bench.scaled(200_000))
    throughput(bench)
    bench.unbatched("unbatched produce 100 B", "single", 50_000)
    latency(bench)
    bench.figures["memory, loaded"] = bench.broker.memory_mib()


def throughput(bench: Measurement) -> None:
    count, more = bench.scaled(500_000), bench.scaled(1_000_000)
    bench.rate("produce 1 KiB, 1 partition", "produce", ["one"], count)
    bench.rate("produce 1 KiB, 4 partitions", "produce", ["four"], count, "-P", "4")
    bench.rate("produce 1 KiB, idempotent", "produce", ["sequenced"], count, "-I")
    bench.rate("produce 100 B", "produce", ["small"], more, "-s", "100")
    bench.reads("consume 1 KiB, 1 partition", "one", count)
    bench.reads("consume 1 KiB, 4 partitions", "four", count, "-P", "4")
    bench.reads("consume 100 B", "small", more)


def latency(bench: Measurement) -> None:
    bench.load("latency", "ack", bench.scaled(1_000))
    report, _ = bench.load("latency", "ack", bench.scaled(5_000))
    bench.percentiles("ack one at a time", report, "50", "99")
    pace = ("-r", "20000", "-l", "1")
    report, _ = bench.load("produce", "ack", bench.scaled(100_000), *pace)
    bench.percentiles("ack at 20 k/s", report, "50", "99")
