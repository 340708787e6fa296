"""What compaction does to a log, decided without touching it (KIP-58, KIP-354, KIP-534).

    log start     first dirty offset      round end       first that must not be touched
        [ clean ..... | dirty, in the key map | dirty, later ... | young, active segment ... )

A record goes when a later one in the map has its key; a tombstone goes once its batch's delete
horizon has passed, and so does the marker of a transaction of which nothing else is left. What was
aborted goes at once. Whole segments are copied without what goes, neighbours into one.
Source: Kafka's `LogCleanerManager` and `Cleaner`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from godel.records.batch import BatchHeader, RecordSpan, record_spans, records_block
from godel.records.builder import rebuild_batch
from godel.records.partition_log import ProducerEntry
from godel.records.transactions import AbortedTransaction
from godel.storage.ended_transactions import EndedTransactions
from godel.storage.key_map import KeyMap
from godel.storage.log_config import LogConfig
from godel.storage.offset_index import MAX_RELATIVE_OFFSET
from godel.types import Buffer

RECORDS_PER_TURN = 200
"""So many records are looked at before others get a turn, in the middle of a batch, too: 0.4 ms."""


class CompactionFacts(NamedTuple):
    """What the plan needs to know of a segment."""

    base_offset: int
    next_offset: int
    size_bytes: int
    largest_timestamp_ms: int
    """Of its records, or when it was last written to where they have none."""
    first_timestamp_ms: int
    """-1: unknown."""


class Dirt(NamedTuple):
    """How much there is to do for a log."""

    first_dirty_offset: int
    end_offset: int
    """The first offset that must not be touched: the boundary of a segment."""
    ratio: float
    is_overdue: bool
    """A record has waited for max.compaction.lag.ms."""


def first_dirty(checkpoint: int | None, log_start_offset: int, end_offset: int) -> int:
    """Where compaction goes on; a checkpoint that cannot be one means from the start."""
    if checkpoint is None or not log_start_offset <= checkpoint <= end_offset:
        return log_start_offset
    return checkpoint


def dirt(
    closed: Sequence[CompactionFacts],
    config: LogConfig,
    *,
    first_dirty_offset: int,
    upper_bound: int,
    now_ms: int,
) -> Dirt | None:
    """What is dirty in the segments before the active one; None: nothing that may be cleaned."""
    clean_bytes = dirty_bytes = 0
    end_offset, is_overdue = first_dirty_offset, False
    for facts in closed:
        if facts.next_offset <= first_dirty_offset:
            clean_bytes += facts.size_bytes
            continue
        is_young = (
            config.min_compaction_lag_ms > 0
            and facts.largest_timestamp_ms > now_ms - config.min_compaction_lag_ms
        )
        if facts.next_offset > upper_bound or is_young:
            break
        dirty_bytes += facts.size_bytes
        end_offset = facts.next_offset
        if 0 < facts.first_timestamp_ms < now_ms - config.max_compaction_lag_ms:
            is_overdue = True
    if not dirty_bytes:
        return None
    ratio = dirty_bytes / (clean_bytes + dirty_bytes)
    return Dirt(first_dirty_offset, end_offset, ratio, is_overdue)


def is_worthwhile(found: Dirt, config: LogConfig) -> bool:
    return found.is_overdue or found.ratio > config.min_cleanable_dirty_ratio


class Source(NamedTuple):
    """A segment to be copied."""

    base_offset: int
    next_offset: int
    size_bytes: int
    offset_index_bytes: int
    time_index_bytes: int


def grouped(sources: Sequence[Source], config: LogConfig) -> list[list[Source]]:
    """Neighbours whose copies fit into one segment, whatever stays of them."""
    groups: list[list[Source]] = []
    sums = (0, 0, 0)
    for source in sources:
        sizes = (source.size_bytes, source.offset_index_bytes, source.time_index_bytes)
        grown = tuple(map(sum, zip(sums, sizes, strict=True)))
        fits = (
            groups
            and grown[0] <= config.segment_bytes
            and grown[1] <= config.segment_index_bytes
            and grown[2] <= config.segment_index_bytes
            and source.next_offset - 1 - groups[-1][0].base_offset <= MAX_RELATIVE_OFFSET
        )
        if fits:
            groups[-1].append(source)
            sums = (grown[0], grown[1], grown[2])
        else:
            groups.append([source])
            sums = sizes
    return groups


@dataclass(slots=True)
class Round:
    """One pass: the keys up to `end_offset`, and what becomes of each batch before it."""

    first_dirty_offset: int
    end_offset: int
    """How far the key map has come."""
    keys: KeyMap
    now_ms: int
    delete_retention_ms: int
    last_offsets: Mapping[int, int]
    """The last offset of each live producer."""
    marker_epochs: Mapping[int, int]
    """The epoch of each live producer of which only a marker is known."""
    dirty_transactions: EndedTransactions
    """Followed while the keys are read."""
    transactions: EndedTransactions
    """Followed while the copies are written."""

    @classmethod
    def begin(
        cls,
        first_dirty_offset: int,
        *,
        memory_bytes: int,
        now_ms: int,
        config: LogConfig,
        producers: Sequence[ProducerEntry],
        aborted: Sequence[AbortedTransaction],
    ) -> Round:
        return cls(
            first_dirty_offset,
            first_dirty_offset,
            KeyMap(memory_bytes),
            now_ms,
            config.delete_retention_ms,
            {one.producer_id: one.last_offset for one in producers if one.last_offset >= 0},
            {one.producer_id: one.producer_epoch for one in producers if one.last_offset < 0},
            EndedTransactions(one for one in aborted if one.last_offset >= first_dirty_offset),
            EndedTransactions(aborted),
        )

    def note_keys(self, header: BatchHeader, batch: Buffer) -> Iterator[int]:
        """Take a batch's keys into the map. Yields now and then; stops where the map is full."""
        if header.next_offset <= self.first_dirty_offset:
            return
        if not (self.dirty_transactions.is_garbage(header, batch) or header.is_control):
            put, base_offset = self.keys.put, header.base_offset
            for number, span in enumerate(record_spans(records_block(batch, header), header)):
                offset = base_offset + span.offset_delta
                if span.key is not None and offset >= self.first_dirty_offset:
                    if not put(span.key, offset):
                        return
                    self.end_offset = offset + 1
                if number % RECORDS_PER_TURN == RECORDS_PER_TURN - 1:
                    yield 0
        self.end_offset = header.next_offset

    def clean(self, header: BatchHeader, batch: Buffer) -> Generator[int, None, Buffer | None]:
        """What stays of a batch: all of it, a smaller one, or nothing (None).

        Yields now and then.
        """
        is_garbage = self.transactions.is_garbage(header, batch)
        if header.base_offset >= self.end_offset:
            return batch
        if header.is_control:
            return self._clean_marker(header, batch) if is_garbage else batch
        block = records_block(batch, header)
        kept: list[RecordSpan] = []
        has_tombstone = False
        for number, span in enumerate(record_spans(block, header)):
            if not is_garbage and self._stays(header, span):
                kept.append(span)
                has_tombstone = has_tombstone or not span.has_value
            if number % RECORDS_PER_TURN == RECORDS_PER_TURN - 1:
                yield 0
        horizon_ms = None
        if (
            has_tombstone
            and not header.has_delete_horizon
            and header.next_offset <= self.end_offset
        ):
            horizon_ms = self.now_ms + self.delete_retention_ms
        if kept and len(kept) == header.records_count and horizon_ms is None:
            return batch
        if not kept and not self._keeps_header(header):
            return None
        return rebuild_batch(header, block, kept, delete_horizon_ms=horizon_ms)

    def _clean_marker(self, header: BatchHeader, batch: Buffer) -> Buffer | None:
        """A marker that ends nothing any more gets a horizon first: readers may be inside."""
        if not header.has_delete_horizon:
            block = records_block(batch, header)
            spans = list(record_spans(block, header))
            horizon_ms = self.now_ms + self.delete_retention_ms
            return rebuild_batch(header, block, spans, delete_horizon_ms=horizon_ms)
        is_needed = self.now_ms < header.base_timestamp or self._keeps_header(header)
        return batch if is_needed else None

    def _stays(self, header: BatchHeader, span: RecordSpan) -> bool:
        offset = header.base_offset + span.offset_delta
        if offset >= self.end_offset:
            return True
        if span.key is None or self.keys.is_superseded(span.key, offset):
            return False
        return (
            span.has_value or not header.has_delete_horizon or self.now_ms < header.base_timestamp
        )

    def _keeps_header(self, header: BatchHeader) -> bool:
        """A live producer's last sequence must stay known, and so must where the round ended."""
        if (
            header.is_control
            and self.marker_epochs.get(header.producer_id) == header.producer_epoch
        ):
            return True
        return (
            header.next_offset == self.end_offset
            or self.last_offsets.get(header.producer_id) == header.last_offset
        )
