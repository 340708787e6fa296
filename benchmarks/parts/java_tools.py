"""Kafka's own perf tools as a cross-check of the driver: 1 KiB records, one partition, acks=all."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from brokers import kafka_libraries
from figures import rate_rows
from measurement import Measurement

COUNT = 1_000_000
RECORD_BYTES = 1024
TIMEOUT_S = 300
PRODUCER, CONSUMER = "kafka-producer-perf-test", "kafka-consumer-perf-test"
SENT_PER_S = re.compile(r" records sent, ([\d.]+) records/sec")
FETCHED_COLUMN = "fetch.nMsg.sec"

ROWS = [*rate_rows(PRODUCER), *rate_rows(CONSUMER)]


def take(bench: Measurement) -> None:
    if shutil.which("java") is None:
        print("No figures of Kafka's tools: java missing.", file=sys.stderr)
        return
    bench.create_topics({"warm": 1, "java": 1})
    bench.load("produce", "warm", bench.scaled(300_000))
    count = bench.scaled(COUNT)
    before = bench.broker.cpu_s()
    per_s = produced_per_s(bench.broker.bootstrap, count)
    bench.note_rate(PRODUCER, count, per_s, bench.broker.cpu_s() - before)
    before = bench.broker.cpu_s()
    per_s = consumed_per_s(bench.broker.bootstrap, count)
    bench.note_rate(CONSUMER, count, per_s, bench.broker.cpu_s() - before)


def produced_per_s(bootstrap: str, count: int) -> float:
    words = ["--topic=java", f"--num-records={count}", f"--record-size={RECORD_BYTES}"]
    words += ["--throughput=-1", "--producer-props", f"bootstrap.servers={bootstrap}", "acks=all"]
    return float(SENT_PER_S.findall(run("ProducerPerformance", words))[-1])


def consumed_per_s(bootstrap: str, count: int) -> float:
    """Without the time until the group has its assignment."""
    words = ["--topic=java", f"--messages={count}", f"--bootstrap-server={bootstrap}"]
    names, figures = run("ConsumerPerformance", words).strip().splitlines()[-2:]
    if FETCHED_COLUMN not in names:
        raise SystemExit(f"{CONSUMER} says: {figures}")
    column = [name.strip() for name in names.split(",")].index(FETCHED_COLUMN)
    return float(figures.split(",")[column])


def run(tool: str, words: list[str]) -> str:
    libraries = f"{kafka_libraries()}/*"
    return subprocess.run(
        ["java", "-cp", libraries, f"org.apache.kafka.tools.{tool}", *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    ).stdout
