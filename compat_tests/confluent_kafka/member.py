"""A member for groups.py: `BOOTSTRAP GROUP TOPIC ASSIGNOR [INSTANCE]`."""

from __future__ import annotations

import json
import signal
import sys

from confluent_kafka import Consumer, KafkaException


def main(bootstrap: str, group: str, topic: str, assignor: str, instance: str = "") -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "partition.assignment.strategy": assignor,
            **({"group.instance.id": instance} if instance else {}),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
        }
    )
    consumer.subscribe([topic])
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    while not stopping:
        messages = [m for m in consumer.consume(500, timeout=0.2) if not m.error()]
        if not messages:
            continue
        read = [(message.partition(), message.offset()) for message in messages]
        print(json.dumps({"read": read}), flush=True)
        try:
            consumer.commit(asynchronous=False)
            print(json.dumps({"committed": True}), flush=True)
        except KafkaException as error:
            print(repr(error), file=sys.stderr, flush=True)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
