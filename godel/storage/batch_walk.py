"""Walking a segment's file from batch to batch by their headers, without a look at the records.

A batch's length says where the next one begins. Nothing is checked but that the headers make sense;
checking CRCs is recovery's and the reader's business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from godel.errors import CorruptBatch
from godel.records.batch import HEADER_SIZE, LENGTH_PREFIX_SIZE, MAGIC, BatchHeader, parse_header
from godel.storage.files import File

SMALLEST_WALK_BYTES = 8 * 1024
LARGEST_WALK_BYTES = 256 * 1024

HEAD = struct.Struct(">qi4xB6xi8xq")
"""Base offset, length, magic, last offset delta and largest timestamp of a batch."""


class WalkedBatch(NamedTuple):
    """What walking a segment shows of a batch."""

    position: int
    size_bytes: int
    base_offset: int
    last_offset: int
    max_timestamp: int


def walk(file: File, position: int = 0, end: int | None = None) -> Iterator[WalkedBatch]:
    """The batches from `position`, which is the beginning of one, to the end of the file."""
    limit = file.size if end is None else end
    chunk, chunk_start, chunk_bytes = b"", position, SMALLEST_WALK_BYTES
    while position < limit:
        at = position - chunk_start
        if at + HEADER_SIZE > len(chunk):
            chunk = file.pread(position, min(chunk_bytes, limit - position))
            chunk_start, at = position, 0
            chunk_bytes = min(2 * chunk_bytes, LARGEST_WALK_BYTES)
            if len(chunk) < HEADER_SIZE:
                raise corrupt(file, position, "the file ends inside a header")
        base_offset, length, magic, last_delta, max_timestamp = HEAD.unpack_from(chunk, at)
        size_bytes = length + LENGTH_PREFIX_SIZE
        if magic != MAGIC or size_bytes < HEADER_SIZE or position + size_bytes > limit:
            raise corrupt(file, position, f"magic {magic}, length {length}")
        yield WalkedBatch(
            position, size_bytes, base_offset, base_offset + last_delta, max_timestamp
        )
        position += size_bytes


def walk_headers(file: File) -> Iterator[tuple[int, BatchHeader]]:
    """The positions and whole headers of a file's batches."""
    chunk, chunk_start = b"", 0
    for batch in walk(file):
        at = batch.position - chunk_start
        if at + HEADER_SIZE > len(chunk):
            chunk = file.pread(batch.position, LARGEST_WALK_BYTES)
            chunk_start, at = batch.position, 0
        yield batch.position, parse_header(chunk, at)


def walk_whole(file: File, position: int) -> Iterator[tuple[BatchHeader, memoryview]]:
    """The batches from `position`, header and all."""
    chunk, at = memoryview(b""), 0
    while position < file.size:
        size_bytes = HEADER_SIZE
        if at + HEADER_SIZE <= len(chunk):
            header = parse_header(chunk, at)
            size_bytes = header.size_bytes
        if at + size_bytes > len(chunk):
            if position + size_bytes > file.size:
                raise corrupt(file, position, "the file ends inside a batch")
            wanted = min(max(size_bytes, LARGEST_WALK_BYTES), file.size - position)
            chunk, at = memoryview(file.pread(position, wanted)), 0
            continue
        yield header, chunk[at : at + size_bytes]
        at += size_bytes
        position += size_bytes


def corrupt(file: File, position: int, what: str) -> CorruptBatch:
    """Says where."""
    return CorruptBatch(f"{file.path} at {position}: {what}")
