"""A member for groups.py: `BOOTSTRAP GROUP TOPIC ASSIGNOR [INSTANCE]`."""

from __future__ import annotations

import json
import signal
import sys

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

ASSIGNORS = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}


def main(
    bootstrap: str, group: str, topic: str, assignor: str, instance: str | None = None
) -> None:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=instance,
        partition_assignment_strategy=[ASSIGNORS[assignor]],
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
