"""A member for groups.py: python -m compat_tests.kafka_python.member BOOTSTRAP GROUP TOPIC."""

from __future__ import annotations

import json
import signal
import sys

from kafka import KafkaConsumer
from kafka.errors import KafkaError


def main(bootstrap: str, group: str, topic: str) -> None:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
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
            print(repr(error), file=sys.stderr, flush=True)
    consumer.close(autocommit=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
