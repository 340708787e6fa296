"""Judging what should be batches, back to back: up to where it is sound, and what is wrong there.

Headers, offsets and CRCs are checked, and nothing is changed: what becomes of it is decided by
recovery, or told by those who only look.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from godel.errors import CorruptBatch
from godel.records import crc
from godel.records.batch import (
    ATTRIBUTES_OFFSET,
    HEADER_SIZE,
    LENGTH_PREFIX_SIZE,
    BatchHeader,
    check_crc,
    parse_header,
)
from godel.storage import layout
from godel.storage.offset_index import MAX_RELATIVE_OFFSET

SCAN_BYTES = 1 << 20
SEARCH_BYTES = 64 << 20
"""How far behind a wrong batch whole ones are looked for."""


class Scan(NamedTuple):
    """Batches are good up to `position`, where the next one has at least `next_offset`."""

    position: int
    next_offset: int
    problem: str | None


Read = Callable[[int, int], bytes]
OnBatch = Callable[[int, BatchHeader], None]
"""Raises `CorruptBatch` where a batch makes no sense for all its CRC."""


def scan(
    read: Read,
    on_batch: OnBatch,
    *,
    position: int,
    next_offset: int,
    size_bytes: int,
    base_offset: int,
) -> Scan:
    """Check a segment's batches from `position` to its size; stop at the first wrong one.

    The loop of a recovery, once for each batch: it asks the header for nothing that costs a call.
    """
    limit = min(size_bytes, layout.MAX_SEGMENT_BYTES)
    gap_position, gap_offset = position, layout.MAX_OFFSET  # of the last batch that jumped ahead
    chunk, chunk_start = memoryview(b""), position
    last_possible = base_offset + MAX_RELATIVE_OFFSET
    while position < size_bytes:
        at = position - chunk_start
        if len(chunk) - at < min(HEADER_SIZE, size_bytes - position):
            chunk = memoryview(read(position, min(SCAN_BYTES, size_bytes - position)))
            chunk_start, at = position, 0
        try:
            header = parse_header(chunk, at)
        except CorruptBatch as problem:
            return Scan(position, next_offset, str(problem))
        first_offset = header.base_offset
        length = header.batch_length + LENGTH_PREFIX_SIZE
        if position + length > limit:
            return Scan(position, next_offset, _beyond(position + length, size_bytes))
        if first_offset < next_offset:
            if first_offset >= gap_offset:
                return Scan(gap_position, gap_offset, "an offset jumps ahead")
            return Scan(position, next_offset, f"offset {first_offset} comes again")
        last_offset = first_offset + header.last_offset_delta
        if last_offset < first_offset or last_offset > last_possible:
            return Scan(position, next_offset, f"offsets up to {last_offset}")
        if at + length > len(chunk):
            wanted = max(length, min(SCAN_BYTES, size_bytes - position))
            chunk = memoryview(read(position, wanted))
            chunk_start, at = position, 0
        if crc.crc32c(chunk[at + ATTRIBUTES_OFFSET : at + length]) != header.crc:
            return Scan(position, next_offset, f"CRC of the batch at offset {first_offset}")
        # No CRC covers the offset: of a batch that jumps ahead and one that fits in before it, the
        # first is wrong. Gaps alone are compaction's.
        gap_position = position
        gap_offset = next_offset if first_offset > next_offset else layout.MAX_OFFSET
        try:
            on_batch(position, header)
        except CorruptBatch as problem:
            return Scan(position, next_offset, str(problem))
        position += length
        next_offset = last_offset + 1
    return Scan(position, next_offset, None)


def _beyond(end: int, size_bytes: int) -> str:
    if end > size_bytes:
        return f"{end - size_bytes} bytes missing"
    return f"a segment has at most {layout.MAX_SEGMENT_BYTES} bytes, this one {size_bytes}"


def find_batch(data: bytes, start: int, offset: int) -> int | None:
    """Where a whole batch begins in `data` from `start` on, with an offset not far from `offset`.

    What follows a wrong batch tells a torn end of the log from damage in the middle of it.
    """
    prefix = struct.pack(">q", offset)[:5]
    pattern = re.compile(re.escape(prefix) + rb"(?=.{11}\x02)", re.DOTALL)
    for match in pattern.finditer(data, start):
        at = match.start()
        try:
            header = parse_header(data, at)
        except CorruptBatch:
            continue
        end = at + header.size_bytes
        if end <= len(data) and check_crc(memoryview(data)[at:end], header):
            return at
    return None
