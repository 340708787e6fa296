"""Building record batches: for our own internal topics, for control records and for tests.

What clients produce is never rebuilt through here: its bytes go to the log as they came.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from godel.errors import CorruptBatch
from godel.records import crc
from godel.records.batch import (
    ATTRIBUTES_OFFSET,
    COMPRESSION_MASK,
    CONTROL_BIT,
    CRC_OFFSET,
    DELETE_HORIZON_BIT,
    HEADER,
    HEADER_SIZE,
    LENGTH_PREFIX_SIZE,
    LOG_APPEND_TIME_BIT,
    MAGIC,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    TRANSACTIONAL_BIT,
    BatchHeader,
    EndMarker,
    RecordSpan,
)
from godel.records.compression import Compression, compress
from godel.types import Buffer


class NewRecord(NamedTuple):
    """A record to be written. `timestamp_ms` None: the batch's."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp_ms: int | None = None


KeyValue: TypeAlias = tuple[bytes | None, bytes | None]

_CONTROL_KEY = struct.Struct(">hh")
_CONTROL_VALUE = struct.Struct(">hi")
_CRC = struct.Struct(">I")


def build_batch(
    records: Sequence[KeyValue | NewRecord],
    *,
    timestamp_ms: int,
    compression: Compression = Compression.NONE,
    level: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
    is_transactional: bool = False,
    is_control: bool = False,
    has_log_append_time: bool = False,
    base_offset: int = 0,
    leader_epoch: int = -1,
) -> bytes:
    """One batch of `records`, numbered from 0."""
    full = [record if isinstance(record, NewRecord) else NewRecord(*record) for record in records]
    timestamps = [timestamp_ms if r.timestamp_ms is None else r.timestamp_ms for r in full]
    base_timestamp = timestamps[0] if timestamps else timestamp_ms
    block = bytearray()
    for offset_delta, (record, timestamp) in enumerate(zip(full, timestamps, strict=True)):
        _write_record(block, record, timestamp - base_timestamp, offset_delta)
    attributes = (
        compression
        | (LOG_APPEND_TIME_BIT if has_log_append_time else 0)
        | (TRANSACTIONAL_BIT if is_transactional else 0)
        | (CONTROL_BIT if is_control else 0)
    )
    return seal_batch(
        compress(compression, block, level),
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        attributes=attributes,
        last_offset_delta=len(full) - 1,
        base_timestamp=base_timestamp,
        max_timestamp=max(timestamps, default=timestamp_ms),
        producer=(producer_id, producer_epoch, base_sequence),
        records_count=len(full),
    )


def control_batch(
    marker: EndMarker, *, producer_id: int, producer_epoch: int, timestamp_ms: int
) -> bytes:
    """The batch that ends a producer's transaction in a partition (KIP-98)."""
    key = _CONTROL_KEY.pack(0, int(marker.is_commit))
    value = _CONTROL_VALUE.pack(0, marker.coordinator_epoch)
    return build_batch(
        [(key, value)],
        timestamp_ms=timestamp_ms,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        is_transactional=True,
        is_control=True,
    )


def seal_batch(
    stored_block: Buffer,
    *,
    base_offset: int,
    leader_epoch: int,
    attributes: int,
    last_offset_delta: int,
    base_timestamp: int,
    max_timestamp: int,
    producer: tuple[int, int, int],
    records_count: int,
) -> bytes:
    """A header before a block of records as it is to be stored (`attributes` name its codec)."""
    batch = bytearray(HEADER_SIZE + len(stored_block))
    HEADER.pack_into(
        batch,
        0,
        base_offset,
        len(batch) - LENGTH_PREFIX_SIZE,
        leader_epoch,
        MAGIC,
        0,
        attributes,
        last_offset_delta,
        base_timestamp,
        max_timestamp,
        *producer,
        records_count,
    )
    batch[HEADER_SIZE:] = stored_block
    write_crc(batch)
    return bytes(batch)


def rebuild_batch(
    header: BatchHeader, block: bytes, kept: Sequence[RecordSpan], *, delete_horizon_ms: int | None
) -> bytes:
    """The batch with only the records in `kept` (KIP-534); Kafka's `MemoryRecords.filterTo`.

    Offsets, sequences and codec stay. `delete_horizon_ms`: the horizon that the batch gets now, in
    place of its base timestamp; None leaves what it has. Without records only a header stays.
    """
    attributes, base_timestamp = header.attributes, header.base_timestamp
    max_timestamp = header.max_timestamp
    if not kept:
        attributes &= ~(COMPRESSION_MASK | DELETE_HORIZON_BIT)
        stored, base_timestamp = b"", NO_TIMESTAMP
    else:
        if not header.has_log_append_time:
            max_timestamp = base_timestamp + max(span.timestamp_delta for span in kept)
        if delete_horizon_ms is None:
            records = b"".join([block[span.start : span.end] for span in kept])
        else:
            records = _with_base_timestamp(block, kept, base_timestamp - delete_horizon_ms)
            attributes |= DELETE_HORIZON_BIT
            base_timestamp = delete_horizon_ms
        stored = compress(header.compression, records)
    return seal_batch(
        stored,
        base_offset=header.base_offset,
        leader_epoch=header.partition_leader_epoch,
        attributes=attributes,
        last_offset_delta=header.last_offset_delta,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        producer=(header.producer_id, header.producer_epoch, header.base_sequence),
        records_count=len(kept),
    )


def _with_base_timestamp(block: bytes, kept: Sequence[RecordSpan], shift_ms: int) -> bytes:
    """The records with timestamps that count from a base `shift_ms` earlier."""
    records = bytearray()
    for span in kept:
        timestamp_delta = span.timestamp_delta + shift_ms
        if not -(2**63) <= timestamp_delta < 2**63:
            raise CorruptBatch(f"a timestamp {timestamp_delta} ms from the delete horizon")
        delta = _varint(timestamp_delta)
        records += _varint(1 + len(delta) + span.end - span.timestamp_end)
        records.append(0)  # attributes
        records += delta
        records += block[span.timestamp_end : span.end]
    return bytes(records)


def write_crc(batch: bytearray) -> None:
    """Set the CRC of the one batch that `batch` holds."""
    _CRC.pack_into(batch, CRC_OFFSET, crc.crc32c(memoryview(batch)[ATTRIBUTES_OFFSET:]))


def _write_record(
    block: bytearray, record: NewRecord, timestamp_delta: int, offset_delta: int
) -> None:
    body = bytearray(1)  # attributes
    body += _varint(timestamp_delta)
    body += _varint(offset_delta)
    _write_bytes(body, record.key)
    _write_bytes(body, record.value)
    _write_headers(body, record.headers)
    block += _varint(len(body))
    block += body


def _write_headers(body: bytearray, headers: Iterable[tuple[str, bytes | None]]) -> None:
    headers = list(headers)
    body += _varint(len(headers))
    for name, value in headers:
        _write_bytes(body, name.encode())
        _write_bytes(body, value)


def _write_bytes(body: bytearray, value: bytes | None) -> None:
    if value is None:
        body.append(1)  # -1
    else:
        body += _varint(len(value))
        body += value


def _varint(value: int) -> bytes:
    """Zig-zag, seven bits a byte, the lowest first."""
    raw = value << 1 if value >= 0 else (-value << 1) - 1
    if raw < 0x80:
        return bytes((raw,))
    out = bytearray()
    while raw >= 0x80:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    out.append(raw)
    return bytes(out)
