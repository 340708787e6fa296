"""What the tests of compaction share: keyed batches, a compactor, a log as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from godel.clock import Clock, ManualClock
from godel.records.builder import NewRecord, build_batch
from godel.records.compression import Compression
from godel.records.partition_log import CleanerLimits, ProducerEntry
from godel.storage.cleaner import Cleaner, Compacted, dirt_of
from godel.storage.files import Files
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.log_config import LogConfig
from tests.storage.harness import NOW_MS, append, read_records

COMPACTED = LogConfig(
    segment_bytes=700,
    index_interval_bytes=100,
    retention_ms=-1,
    is_deleted=False,
    is_compacted=True,
    min_cleanable_dirty_ratio=0.0,
    delete_retention_ms=1000,
    file_delete_delay_ms=10,
)
UNLIMITED = CleanerLimits(1 << 20, 1e18)


def put_keys(
    log: Log,
    pairs: Sequence[tuple[str, str | None]],
    *,
    timestamp_ms: int = NOW_MS,
    compression: Compression = Compression.NONE,
    producer: tuple[int, int, int] = (-1, -1, -1),
) -> int:
    """Append one batch; its base offset."""
    records = [
        NewRecord(key.encode(), None if value is None else value.encode()) for key, value in pairs
    ]
    producer_id, producer_epoch, base_sequence = producer
    data = build_batch(
        records,
        timestamp_ms=timestamp_ms,
        compression=compression,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
    )
    return append(log, data)


def table_of(log: Log) -> dict[str, str]:
    """The last value of every key, as a consumer from the start sees it."""
    table: dict[str, str] = {}
    for record in read_records(log):
        assert record.key is not None
        if record.value is None:
            table.pop(record.key.decode(), None)
        else:
            table[record.key.decode()] = record.value.decode()
    return table


class Compactor:
    """Runs compactions of one log to their end, and remembers how far they came."""

    def __init__(self, files: Files, clock: Clock | None = None) -> None:
        self.clock = clock or ManualClock(NOW_MS)
        self.cleaner = Cleaner(files, self.clock, Flusher(files))
        self.clean_offset: int | None = None

    def compact(
        self,
        log: Log,
        *,
        limits: CleanerLimits = UNLIMITED,
        producers: Sequence[ProducerEntry] = (),
        between: Callable[[], None] = lambda: None,
    ) -> Compacted | None:
        """`between` is called at each of its turns. None: there is nothing to do."""
        found = dirt_of(
            log, self.clean_offset, upper_bound=log.end_offset, now_ms=self.clock.now_ms()
        )
        if found is None:
            return None

        def progress(offset: int) -> None:
            self.clean_offset = offset

        running = self.cleaner.compact(
            log, found, limits=limits, producers=producers, on_progress=progress
        )
        while True:
            try:
                running.send(None)
            except StopIteration as end:
                done: Compacted = end.value
                return done
            between()
