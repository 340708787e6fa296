"""Finding records by timestamp (KIP-33, KIP-734): time index, then headers, then the one batch.

Timestamps need not rise with the offsets. A batch whose timestamps are the broker's (LogAppendTime)
has the same one for all its records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from godel.records.batch import iterate_records, parse_header
from godel.records.partition_log import TimestampOffset
from godel.storage.batch_walk import WalkedBatch
from godel.storage.segment import Segment


def first_at_or_after(
    segments: Sequence[Segment], timestamp_ms: int, start: int, upper_bound: int
) -> TimestampOffset | None:
    """The first record in `[start, upper_bound)` whose timestamp is not earlier."""
    for segment in segments:
        if segment.next_offset <= start or segment.largest_timestamp[0] < timestamp_ms:
            continue
        if segment.base_offset >= upper_bound:
            break
        first = segment.base_offset + segment.time_index.offset_for(timestamp_ms)
        for batch in _batches(segment, max(first, start), upper_bound):
            if batch.max_timestamp >= timestamp_ms:
                found = _in_batch(segment, batch, timestamp_ms, start)
                if found is not None:
                    return found
    return None


def largest(segments: Sequence[Segment], start: int, upper_bound: int) -> TimestampOffset | None:
    """The first record in `[start, upper_bound)` with the largest timestamp there."""
    best: tuple[Segment, int, int] | None = None
    for segment in segments:
        if segment.next_offset <= start or segment.base_offset >= upper_bound:
            continue
        found = _largest_in(segment, start, upper_bound)
        if found is not None and (best is None or found[0] > best[1]):
            best = (segment, *found)
    if best is None:
        return None
    segment, timestamp_ms, offset = best
    batch = next(_batches(segment, offset, upper_bound))
    found_record = _in_batch(segment, batch, timestamp_ms, start)
    return found_record or _largest_record(segments, start, upper_bound)


def _largest_record(
    segments: Sequence[Segment], start: int, upper_bound: int
) -> TimestampOffset | None:
    """The same the long way: compaction has left a header without records, which says nothing."""
    best: TimestampOffset | None = None
    for segment in segments:
        if segment.next_offset <= start or segment.base_offset >= upper_bound:
            continue
        for batch in _batches(segment, max(start, segment.base_offset), upper_bound):
            if best is None or batch.max_timestamp > best.timestamp_ms:
                floor_ms = -1 if best is None else best.timestamp_ms + 1
                best = _largest_in_batch(segment, batch, floor_ms, start) or best
    return best


def _largest_in_batch(
    segment: Segment, batch: WalkedBatch, floor_ms: int, start: int
) -> TimestampOffset | None:
    best, found = None, _in_batch(segment, batch, floor_ms, start)
    while found is not None:
        best, found = found, _in_batch(segment, batch, found.timestamp_ms + 1, start)
    return best


def _largest_in(segment: Segment, start: int, upper_bound: int) -> tuple[int, int] | None:
    """The largest timestamp in a part of a segment, and the last offset of its first batch."""
    timestamp_ms, offset = segment.largest_timestamp
    first = max(start, segment.base_offset)
    if start <= segment.base_offset:
        if timestamp_ms >= 0 and offset < upper_bound:
            return timestamp_ms, offset
        relative_bound = upper_bound - 1 - segment.base_offset
        indexed_timestamp_ms, relative_offset = segment.time_index.largest_up_to(relative_bound)
        if indexed_timestamp_ms >= 0:
            first = segment.base_offset + relative_offset
    best: tuple[int, int] | None = None
    for batch in _batches(segment, first, upper_bound):
        if best is None or batch.max_timestamp > best[0]:
            best = (batch.max_timestamp, batch.last_offset)
    return best


def _batches(segment: Segment, first: int, upper_bound: int) -> Iterator[WalkedBatch]:
    for batch in segment.walk(segment.locate(first)):
        if batch.base_offset >= upper_bound:
            return
        yield batch


def _in_batch(
    segment: Segment, batch: WalkedBatch, timestamp_ms: int, start: int
) -> TimestampOffset | None:
    data = memoryview(segment.file.pread(batch.position, batch.size_bytes))
    header = parse_header(data)
    epoch = header.partition_leader_epoch
    is_whole = header.records_count == header.last_offset_delta + 1
    if header.has_log_append_time and is_whole:
        return TimestampOffset(max(header.base_offset, start), header.max_timestamp, epoch)
    for record in iterate_records(data):
        if record.timestamp >= timestamp_ms and record.offset >= start:
            return TimestampOffset(record.offset, record.timestamp, epoch)
    return None
