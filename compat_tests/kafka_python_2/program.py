"""kafka-python 2.0 in its own environment, as a program that serves; see programs.py."""

from __future__ import annotations

import json
import signal
import sys

from kafka import KafkaConsumer
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from compat_tests.kafka_python_2.client import KafkaPython2
from compat_tests.serve import serve

ASSIGNORS = {"range": RangePartitionAssignor}


def member(bootstrap: str, group: str, topic: str, assignor: str) -> None:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
        partition_assignment_strategy=[ASSIGNORS[assignor]],
    )
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    while not stopping:
        batches = consumer.poll(timeout_ms=200)
        read = [(m.partition, m.offset) for batch in batches.values() for m in batch]
        if not read:
            continue
        print(json.dumps({"read": read}), flush=True)
        try:
            consumer.commit()
            print(json.dumps({"committed": True}), flush=True)
        except KafkaError as error:
            print(json.dumps({"committed": False}), flush=True)
            print(repr(error), file=sys.stderr, flush=True)
    consumer.close(autocommit=False)


def main(command: str, bootstrap: str, *names: str) -> None:
    if command == "member":
        member(bootstrap, *names)
        return
    serve(KafkaPython2(bootstrap))


if __name__ == "__main__":
    main(*sys.argv[1:])
