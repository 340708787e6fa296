"""Record batches, magic 2 (KIP-98): the header, the checksum and the records inside.

A batch is a 61-byte header and a block of records, compressed as a whole or not at all:

    base_offset int64 | batch_length int32 | partition_leader_epoch int32 | magic int8 | crc uint32
    attributes int16 | last_offset_delta int32 | base_timestamp int64 | max_timestamp int64
    producer_id int64 | producer_epoch int16 | base_sequence int32 | records_count int32

`batch_length` counts what follows it, the CRC covers everything after itself. Whatever is not a
batch raises `CorruptBatch`. Only `iterate_records` looks past the header; no request path needs it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from godel.errors import CorruptBatch
from godel.records import crc
from godel.records.compression import DECOMPRESSED_LIMIT_BYTES, Compression, decompress
from godel.types import Buffer

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_SIZE = HEADER.size
MAGIC = 2
LENGTH_PREFIX_SIZE = 12
"""Bytes before the ones that `batch_length` counts."""
MAGIC_OFFSET = 16
CRC_OFFSET = 17
ATTRIBUTES_OFFSET = 21
MAX_TIMESTAMP_OFFSET = 35

COMPRESSION_MASK = 0x07
LOG_APPEND_TIME_BIT = 0x08
TRANSACTIONAL_BIT = 0x10
CONTROL_BIT = 0x20
DELETE_HORIZON_BIT = 0x40

NO_TIMESTAMP = -1
NO_PRODUCER_ID = -1
NO_SEQUENCE = -1

SMALLEST_RECORD_SIZE = 7
"""Length, attributes, two deltas, two absent fields and no headers: a byte each."""

_unpack_header = HEADER.unpack_from
_new_tuple = tuple.__new__


class BatchHeader(NamedTuple):
    """The 61 bytes that begin a batch."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records_count: int

    @property
    def size_bytes(self) -> int:
        return self.batch_length + LENGTH_PREFIX_SIZE

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> Compression:
        """Raises `CorruptBatch` for the codes 5 to 7, which mean nothing."""
        code = self.attributes & COMPRESSION_MASK
        if code > Compression.ZSTD:
            raise CorruptBatch(f"unknown compression code {code}")
        return Compression(code)

    @property
    def is_transactional(self) -> bool:
        return self.attributes & TRANSACTIONAL_BIT != 0

    @property
    def is_control(self) -> bool:
        return self.attributes & CONTROL_BIT != 0

    @property
    def has_log_append_time(self) -> bool:
        return self.attributes & LOG_APPEND_TIME_BIT != 0

    @property
    def has_delete_horizon(self) -> bool:
        return self.attributes & DELETE_HORIZON_BIT != 0

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record, which wraps around after 2147483647."""
        if self.base_sequence < 0:
            return NO_SEQUENCE
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF


class Record(NamedTuple):
    """One record, with its absolute offset and timestamp."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class RecordSpan(NamedTuple):
    """Where a record is in its block, and what compaction decides by."""

    start: int
    timestamp_end: int
    """Behind the timestamp delta: what follows does not depend on the batch's base timestamp."""
    end: int
    timestamp_delta: int
    offset_delta: int
    key: bytes | None
    has_value: bool


class EndMarker(NamedTuple):
    """What the control record at the end of a transaction says."""

    is_commit: bool
    coordinator_epoch: int


def parse_header(buf: Buffer, at: int = 0) -> BatchHeader:
    """The header that starts at `at`; the rest of the batch need not be there."""
    try:
        header: BatchHeader = _new_tuple(BatchHeader, _unpack_header(buf, at))
    except struct.error:
        raise CorruptBatch(
            f"a batch header takes {HEADER_SIZE} bytes, there are {len(buf) - at}"
        ) from None
    if header.magic != MAGIC:
        raise CorruptBatch(f"magic {header.magic} instead of {MAGIC}")
    if header.batch_length < HEADER_SIZE - LENGTH_PREFIX_SIZE:
        raise CorruptBatch(f"batch length {header.batch_length} is less than a header")
    return header


def iterate_headers(buf: Buffer) -> Iterator[BatchHeader]:
    """The headers of batches that lie back to back and fill `buf` exactly."""
    at, end = 0, len(buf)
    while at < end:
        header = parse_header(buf, at)
        at += header.size_bytes
        if at > end:
            raise CorruptBatch(f"a batch of {header.size_bytes} bytes lacks its last {at - end}")
        yield header


def check_crc(batch: Buffer, header: BatchHeader) -> bool:
    """Whether the bytes of the batch at the start of `batch` carry the CRC that its header says."""
    size_bytes = header.size_bytes
    if len(batch) < size_bytes:
        return False
    return crc.crc32c(memoryview(batch)[ATTRIBUTES_OFFSET:size_bytes]) == header.crc


def records_block(
    batch: Buffer, header: BatchHeader, *, max_bytes: int = DECOMPRESSED_LIMIT_BYTES
) -> bytes:
    """The batch's records as they are without compression, at most `max_bytes` of them."""
    if len(batch) < header.size_bytes:
        raise CorruptBatch(f"{len(batch)} bytes of a batch of {header.size_bytes}")
    stored = memoryview(batch)[HEADER_SIZE : header.size_bytes]
    compression = header.compression
    if compression is Compression.NONE or (header.records_count == 0 and not stored):
        return bytes(stored)
    return decompress(compression, stored, max_bytes)


def iterate_records(
    batch: Buffer, *, max_bytes: int = DECOMPRESSED_LIMIT_BYTES
) -> Iterator[Record]:
    """The records of the batch at the start of `batch`.

    `max_bytes` limits what a compressed block may unfold to. The CRC is not checked here.
    """
    header = parse_header(batch)
    return parse_records(records_block(batch, header, max_bytes=max_bytes), header)


def parse_records(block: bytes, header: BatchHeader) -> Iterator[Record]:
    """The records of an uncompressed block, which must be exactly as many as `header` says."""
    base_offset, base_timestamp = header.base_offset, header.base_timestamp
    append_timestamp = header.max_timestamp if header.has_log_append_time else None
    last_offset_delta = header.last_offset_delta
    previous_delta = -1
    count, size = header.records_count, len(block)
    if not 0 <= count * SMALLEST_RECORD_SIZE <= size:
        raise CorruptBatch(f"{size} bytes cannot hold {count} records")
    at = 0
    try:
        for _ in range(count):
            length, at = _read_varint(block, at)
            end = at + length
            if length < 0 or end > size:
                raise CorruptBatch(f"record length {length} with {size - at} bytes left")
            at += 1  # attributes of a record: no bit has a meaning
            timestamp_delta, at = _read_varint(block, at, 64)
            offset_delta, at = _read_varint(block, at)
            if not previous_delta < offset_delta <= last_offset_delta:
                raise CorruptBatch(f"offset delta {offset_delta} after {previous_delta}")
            previous_delta = offset_delta
            key, at = _read_bytes(block, at, end)
            value, at = _read_bytes(block, at, end)
            headers: list[tuple[str, bytes | None]] = []
            if block[at]:
                at = _read_headers(block, at, end, headers)
            else:
                at += 1
            if at != end:
                raise CorruptBatch(f"a record ends {at - end} bytes from its declared end")
            if append_timestamp is None:
                timestamp = base_timestamp + timestamp_delta
                if not -(2**63) <= timestamp < 2**63:
                    raise CorruptBatch(f"timestamp {timestamp}")
            else:
                timestamp = append_timestamp
            record: Record = _new_tuple(
                Record, (base_offset + offset_delta, timestamp, key, value, headers)
            )
            yield record
    except IndexError:
        raise CorruptBatch("a record runs past the end of its batch") from None
    if at != size:
        raise CorruptBatch(f"{size - at} bytes follow the last record")


def record_spans(block: bytes, header: BatchHeader) -> Iterator[RecordSpan]:
    """The records of an uncompressed block without their values and headers."""
    previous_delta, at = -1, 0
    last_offset_delta, size = header.last_offset_delta, len(block)
    try:
        for _ in range(header.records_count):
            start = at
            length, at = _read_varint(block, at)
            end = at + length
            if length < 0 or end > size:
                raise CorruptBatch(f"record length {length} with {size - at} bytes left")
            timestamp_delta, timestamp_end = _read_varint(block, at + 1, 64)
            offset_delta, at = _read_varint(block, timestamp_end)
            if not previous_delta < offset_delta <= last_offset_delta:
                raise CorruptBatch(f"offset delta {offset_delta} after {previous_delta}")
            previous_delta = offset_delta
            key, at = _read_bytes(block, at, end)
            value_length, at = _read_varint(block, at)
            if value_length < -1 or at + max(value_length, 0) >= end:
                raise CorruptBatch(f"a value of {value_length} bytes with {end - at} left")
            span: RecordSpan = _new_tuple(
                RecordSpan,
                (start, timestamp_end, end, timestamp_delta, offset_delta, key, value_length >= 0),
            )
            yield span
            at = end
    except IndexError:
        raise CorruptBatch("a record runs past the end of its batch") from None
    if at != size:
        raise CorruptBatch(f"{size - at} bytes follow the last record")


def read_end_marker(batch: Buffer) -> EndMarker | None:
    """The outcome that a control batch records; None for control records of other kinds.

    A control batch that the cleaner has emptied says nothing either.
    """
    for record in iterate_records(batch):
        key, value = record.key, record.value
        if key is None or len(key) < 4:
            raise CorruptBatch("a control record has no type")
        kind = int.from_bytes(key[2:4], "big", signed=True)
        if kind not in (0, 1):
            return None
        if value is None or len(value) < 6:
            raise CorruptBatch("an end-of-transaction marker has no coordinator epoch")
        return EndMarker(kind == 1, int.from_bytes(value[2:6], "big", signed=True))
    return None


def _read_varint(block: bytes, at: int, limit_bits: int = 32) -> tuple[int, int]:
    """A zig-zag varint of at most `limit_bits`, and the position after it."""
    byte = block[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    raw = byte & 0x7F
    at += 1
    byte = block[at]
    if byte < 0x80:  # up to 8191, or a timestamp eight seconds away: worth a path of its own
        raw |= byte << 7
        return (raw >> 1) ^ -(raw & 1), at + 1
    raw |= (byte & 0x7F) << 7
    shift = 14
    while True:
        at += 1
        byte = block[at]
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= limit_bits:
            raise CorruptBatch(f"a varint is longer than {limit_bits} bits")
    if raw >> limit_bits:
        raise CorruptBatch(f"a varint is longer than {limit_bits} bits")
    return (raw >> 1) ^ -(raw & 1), at + 1


def _read_bytes(block: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    """Bytes behind their length, -1 for null, and the position after them."""
    length, at = _read_varint(block, at)
    if length < 0:
        if length == -1:
            return None, at
        raise CorruptBatch(f"negative length {length} inside a record")
    stop = at + length
    if stop > end:
        raise CorruptBatch(f"{length} bytes do not fit into the {end - at} left of a record")
    return block[at:stop], stop


def _read_headers(block: bytes, at: int, end: int, headers: list[tuple[str, bytes | None]]) -> int:
    """Fill `headers`; the position after them."""
    count, at = _read_varint(block, at)
    if not 0 <= count <= (end - at) // 2:
        raise CorruptBatch(f"{end - at} bytes cannot hold {count} headers")
    for _ in range(count):
        key, at = _read_bytes(block, at, end)
        if key is None:
            raise CorruptBatch("a header has no key")
        value, at = _read_bytes(block, at, end)
        try:
            headers.append((key.decode(), value))
        except UnicodeDecodeError:
            raise CorruptBatch("a header's key is not UTF-8") from None
    return at
