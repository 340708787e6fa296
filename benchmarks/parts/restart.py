"""Thousands of partitions with a record each: stop, start, first answers, descriptors, memory.

Times are from the start of the process. Kafka needs more than a descriptor for each segment: with
the 20,000 that a process usually has it takes no 10,000 partitions.
"""

from __future__ import annotations

import time

from confluent_kafka import Consumer, Producer, TopicPartition
from figures import Row
from measurement import Measurement
from parts.connections import allow_descriptors

LEAVES_OUT = ("mesh",)
"""It forgets everything."""
PARTITIONS = {5_000: 1.5, 10_000: 3.0}
"""And how long a restart may take, in seconds."""
TOO_MANY_FOR_KAFKA = 10_000
TOPICS = 10
SETTLE_S = 2.0
PATIENCE_S = 120

ROWS = [
    row
    for count, budget_s in PARTITIONS.items()
    for row in (
        Row(f"{count:,} partitions: stop", "s"),
        Row(f"{count:,} partitions: start to first answer", "s", budget=budget_s),
        Row(f"{count:,} partitions: start to Metadata", "s", budget=budget_s),
        Row(f"{count:,} partitions: start to a record", "s", budget=budget_s),
        Row(f"{count:,} partitions: descriptors", "", budget=20_000),
        Row(f"{count:,} partitions: memory", "MiB"),
    )
]


def take(bench: Measurement) -> None:
    allow_descriptors()
    there = 0
    for count in PARTITIONS:
        if count >= TOO_MANY_FOR_KAFKA and bench.name == "kafka":
            continue
        fill(bench, f"up-to-{count}", count - there)
        there = count
        restart(bench, f"{count:,} partitions", f"up-to-{count}-0")


def fill(bench: Measurement, name: str, partitions: int) -> None:
    each = partitions // TOPICS
    topics = [f"{name}-{number}" for number in range(TOPICS)]
    for topic in topics:
        bench.create_topics({topic: each})
    producer = Producer(bench.client(acks="1"))
    for topic in topics:
        for partition in range(each):
            producer.produce(topic, bytes(500), partition=partition)
    if producer.flush(PATIENCE_S) != 0:
        raise SystemExit(f"{bench.name} does not take a record for each of {partitions} partitions")


def restart(bench: Measurement, name: str, topic: str) -> None:
    began = time.monotonic()
    bench.broker.stop()
    bench.figures[f"{name}: stop"] = time.monotonic() - began
    bench.broker.start()
    bench.figures[f"{name}: start to first answer"] = bench.broker.start_s
    consumer = Consumer(bench.client(**{"group.id": "restart", "enable.auto.commit": False}))
    consumer.list_topics(topic, timeout=PATIENCE_S)
    bench.figures[f"{name}: start to Metadata"] = bench.broker.since_start_s()
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(PATIENCE_S)
    if message is None or message.error():
        raise SystemExit(f"{bench.name} serves no record after a restart: {message}")
    bench.figures[f"{name}: start to a record"] = bench.broker.since_start_s()
    consumer.close()
    time.sleep(SETTLE_S)
    bench.figures[f"{name}: descriptors"] = bench.broker.processes()[0].num_fds()
    bench.figures[f"{name}: memory"] = bench.broker.memory_mib()
