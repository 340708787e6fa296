"""A member for groups.py: `BOOTSTRAP GROUP TOPIC ASSIGNOR [INSTANCE]`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

ASSIGNORS = {"range": RangePartitionAssignor}


async def main(
    bootstrap: str, group: str, topic: str, assignor: str, instance: str | None = None
) -> None:
    consumer = AIOKafkaConsumer(
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
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with consumer:
        while not stopping.is_set():
            batches = await consumer.getmany(timeout_ms=200)
            read = [(m.partition, m.offset) for batch in batches.values() for m in batch]
            if not read:
                continue
            print(json.dumps({"read": read}), flush=True)
            try:
                await consumer.commit()
                print(json.dumps({"committed": True}), flush=True)
            except KafkaError as error:
                print(repr(error), file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
