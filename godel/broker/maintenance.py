"""What the broker does from time to time: retention, compaction, checkpoints, forgetting producers.

Each round goes from partition to partition and lets requests in between; nothing of it is needed
for correctness, a crash at any point only means that the next start has more to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio

from godel.broker.broker import Broker
from godel.broker.partition import Partition
from godel.errors import ApiError, CorruptBatch, StorageFailed
from godel.records.partition_log import CleanerLimits
from godel.types import TopicPartition


async def run_maintenance(broker: Broker) -> None:
    """Run until cancelled."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_retention_rounds, broker)
        tasks.start_soon(_checkpoint_rounds, broker)
        tasks.start_soon(_compaction_rounds, broker)


async def _retention_rounds(broker: Broker) -> None:
    await broker.clock.sleep(broker.config.log_initial_task_delay_ms)
    while True:
        await maintain_partitions(broker)
        await broker.clock.sleep(broker.config.log_retention_check_interval_ms)


async def maintain_partitions(broker: Broker) -> None:
    """One round over all partitions. One that fails is reported and does not stop the others."""
    expiration_ms = broker.config.producer_id_expiration_ms
    outdated = []
    for partition in tuple(broker.partitions()):
        if partition.is_closed:
            continue
        with _reporting(broker, partition, "maintenance_failed"):
            if partition.maintain(broker.clock.now_ms(), producer_expiration_ms=expiration_ms):
                outdated.append(partition)
        await anyio.lowlevel.checkpoint()
    if outdated:
        await _delete_old(broker, outdated)


async def _delete_old(broker: Broker, partitions: Sequence[Partition]) -> None:
    """Delete what lies below the log starts, once these are saved."""
    try:
        await broker.logs.save_log_starts()
    except StorageFailed as failure:
        broker.log.error("nothing_deleted", reason=str(failure))
        return
    for partition in partitions:
        if not partition.is_closed:
            with _reporting(broker, partition, "maintenance_failed"):
                partition.delete_old()
            await anyio.lowlevel.checkpoint()


@contextmanager
def _reporting(broker: Broker, partition: Partition, event: str) -> Iterator[None]:
    try:
        yield
    except (ApiError, StorageFailed, CorruptBatch) as failure:
        broker.log.error(event, partition=str(partition.id), reason=str(failure))
    except Exception as error:  # a bug ends the round here, not the broker
        broker.metrics.bugs.add()
        broker.log.error(event, partition=str(partition.id), exc_info=error)


async def _compaction_rounds(broker: Broker) -> None:
    while True:
        await broker.clock.sleep(max(broker.config.log_cleaner_backoff_ms, 1))
        put_off: set[TopicPartition] = set()
        while await compact_dirtiest(broker, put_off):
            await anyio.lowlevel.checkpoint()


async def compact_dirtiest(broker: Broker, put_off: set[TopicPartition]) -> bool:
    """Compact the log with the largest dirty share; False: there is none.

    One that could not be compacted goes to those `put_off`: others, perhaps on a disk with more
    space, have their turn.
    """
    config = broker.config
    if not config.log_cleaner_enable or config.log_cleaner_threads == 0:
        return False
    dirtiest, most = None, 0.0
    for partition in tuple(broker.partitions()):
        if partition.id not in put_off and partition.config.is_compacted:
            found = None
            with _reporting(broker, partition, "compaction_failed"):
                found = partition.dirtiness()
            if found is not None and found > most:
                dirtiest, most = partition, found
            await anyio.lowlevel.checkpoint()
    if dirtiest is None:
        return False
    if dirtiest.is_closed:
        return True
    limits = CleanerLimits(
        config.log_cleaner_dedupe_buffer_size, config.log_cleaner_io_max_bytes_per_second
    )
    is_done = None
    with _reporting(broker, dirtiest, "compaction_failed"):
        is_done = await dirtiest.compact(limits)
    outcome = {True: "done", False: "abandoned", None: "failed"}[is_done]
    broker.metrics.compactions.of(outcome).add()
    if is_done is not True:
        put_off.add(dirtiest.id)
    return True


async def _checkpoint_rounds(broker: Broker) -> None:
    while True:
        await broker.clock.sleep(broker.config.log_flush_offset_checkpoint_interval_ms)
        await broker.logs.checkpoint(broker.high_watermarks())
