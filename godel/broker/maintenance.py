"""What the broker does from time to time: retention, expiry of producers, checkpoints.

Each round goes from partition to partition and lets requests in between; nothing of it is needed
for correctness, a crash at any point only means that the next start has more to do.
"""

from __future__ import annotations

import anyio

from godel.broker.broker import Broker
from godel.errors import ApiError, CorruptBatch, StorageFailed


async def run_maintenance(broker: Broker) -> None:
    """Run until cancelled."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_retention_rounds, broker)
        tasks.start_soon(_checkpoint_rounds, broker)


async def _retention_rounds(broker: Broker) -> None:
    await broker.clock.sleep(broker.config.log_initial_task_delay_ms)
    while True:
        await maintain_partitions(broker)
        await broker.clock.sleep(broker.config.log_retention_check_interval_ms)


async def maintain_partitions(broker: Broker) -> None:
    """One round over all partitions. One that fails is reported and does not stop the others."""
    expiration_ms = broker.config.producer_id_expiration_ms
    for partition in tuple(broker.partitions()):
        if partition.is_closed:
            continue
        try:
            partition.maintain(broker.clock.now_ms(), producer_expiration_ms=expiration_ms)
        except (ApiError, StorageFailed, CorruptBatch) as failure:
            broker.log.error("maintenance_failed", partition=str(partition.id), reason=str(failure))
        except Exception as error:  # a bug ends the round here, not the broker
            broker.metrics.bugs.add()
            broker.log.error("maintenance_failed", partition=str(partition.id), exc_info=error)
        await anyio.lowlevel.checkpoint()


async def _checkpoint_rounds(broker: Broker) -> None:
    while True:
        await broker.clock.sleep(broker.config.log_flush_offset_checkpoint_interval_ms)
        await broker.logs.checkpoint(broker.high_watermarks())
