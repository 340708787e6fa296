"""What a produced batch must be before it may enter a log (Kafka's `LogValidator`), and leave it.

The fast path reads header and CRC and hands the client's bytes on untouched. Records are looked at
where the header cannot answer: compacted topics (keys), timestamps beyond a bound, a batch whose
codec is not the topic's `compression.type`.

Deviations: Kafka looks into every batch, we trust an honest header, so readers may find a stored
block to be nonsense. Where we look, offset deltas must be 0..n-1 (Kafka renumbers compressed ones),
at most `RECORDS_LIMIT` of them. What does not unfold is INVALID_RECORD, so that nobody retries.
Bytes behind the batch are refused, also too few for a second one. A producer id needs an epoch.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from godel.errors import ApiError, CorruptBatch, ErrorCode
from godel.records.batch import (
    ATTRIBUTES_OFFSET,
    COMPRESSION_MASK,
    CONTROL_BIT,
    HEADER_SIZE,
    LOG_APPEND_TIME_BIT,
    MAGIC,
    MAGIC_OFFSET,
    MAX_TIMESTAMP_OFFSET,
    NO_TIMESTAMP,
    BatchHeader,
    check_crc,
    iterate_headers,
    parse_header,
    parse_records,
    records_block,
)
from godel.records.builder import seal_batch, write_crc
from godel.records.compression import Compression, compress
from godel.records.partition_log import LogSlice
from godel.types import Buffer, in_memory

UNLIMITED_MS = 2**63 - 1

RECORD_ERRORS_LIMIT = 100
"""Kafka lists every rejected record of a batch; a million of them would be an answer of 100 MB."""

RECORDS_LIMIT = 1_000_000
"""In a batch that has to be looked into, which takes a second then; honest ones have thousands."""

_CODECS = {
    "producer": None,
    "uncompressed": Compression.NONE,
    "gzip": Compression.GZIP,
    "snappy": Compression.SNAPPY,
    "lz4": Compression.LZ4,
    "zstd": Compression.ZSTD,
}
_ATTRIBUTES = struct.Struct(">h")
_TIMESTAMP = struct.Struct(">q")


class InvalidRecord(ApiError):
    """A batch refused for what is in it. Produce v8 and later tell which records (KIP-467)."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        record_errors: list[tuple[int, str]] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.record_errors = record_errors or []


@dataclass(frozen=True, slots=True, kw_only=True)
class ProduceRules:
    """The settings of a topic that decide about a batch. Built once per change of configuration."""

    max_message_bytes: int = 1_048_588
    segment_bytes: int = 1_073_741_824
    compacted: bool = False
    timestamp_type_log_append: bool = False
    timestamp_before_max_ms: int = UNLIMITED_MS
    timestamp_after_max_ms: int = 3_600_000
    compression_type: str = "producer"
    compression_levels: Mapping[Compression, int] = field(default_factory=dict)
    codec: Compression | None = field(init=False)
    """What batches are stored with; None: whatever the producer chose."""
    needs_records: bool = field(init=False)
    """No header can answer: every batch is looked into."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "codec", _CODECS[self.compression_type])
        bounded_before = self.timestamp_before_max_ms < UNLIMITED_MS
        needs_records = self.compacted or (bounded_before and not self.timestamp_type_log_append)
        object.__setattr__(self, "needs_records", needs_records)


class CheckedBatch(NamedTuple):
    """A batch that may be appended: exactly the bytes to store, and their header."""

    header: BatchHeader
    data: Buffer


def check_produced(
    records: Buffer | None, rules: ProduceRules, *, now_ms: int, zstd_allowed: bool
) -> CheckedBatch:
    """Check what a client wants appended to one partition; raises `ApiError`.

    `records` are not copied unless something in them has to change.
    """
    header = _parse_single_batch(records)
    assert records is not None
    codec = header.attributes & COMPRESSION_MASK
    if codec >= Compression.ZSTD:
        _check_codec(codec, zstd_allowed)
    if header.base_offset:
        raise InvalidRecord(
            ErrorCode.INVALID_RECORD, f"base offset {header.base_offset}, producers send 0"
        )
    size_bytes = len(records)
    if size_bytes > rules.max_message_bytes or size_bytes > rules.segment_bytes:
        _check_size(size_bytes, rules)
    if not check_crc(records, header):
        raise ApiError(ErrorCode.CORRUPT_MESSAGE, "the batch's CRC does not match its bytes")
    _check_header(header)
    if rules.needs_records or header.attributes & LOG_APPEND_TIME_BIT:
        return _check_records(header, records, rules, now_ms)
    if rules.codec is not None and rules.codec != codec:
        return _check_records(header, records, rules, now_ms)
    max_timestamp = header.max_timestamp
    if rules.timestamp_type_log_append:
        return _stamp(header, records, LOG_APPEND_TIME_BIT, now_ms)
    if max_timestamp - now_ms > rules.timestamp_after_max_ms or (
        max_timestamp < header.base_timestamp
    ):
        return _check_records(header, records, rules, now_ms)
    return CheckedBatch(header, records)


def _parse_single_batch(records: Buffer | None) -> BatchHeader:
    """The header of a buffer that is exactly one batch of magic 2."""
    if not records:
        raise InvalidRecord(ErrorCode.INVALID_RECORD, "a partition of the request has no batch")
    try:
        header = parse_header(records)
    except CorruptBatch as error:
        if len(records) >= HEADER_SIZE and records[MAGIC_OFFSET] == MAGIC:
            raise ApiError(ErrorCode.CORRUPT_MESSAGE, str(error)) from None
        raise InvalidRecord(ErrorCode.INVALID_RECORD, str(error)) from None
    extra_bytes = len(records) - header.size_bytes
    if extra_bytes:
        message = (
            f"{extra_bytes} bytes follow the batch, a request carries one batch a partition"
            if extra_bytes > 0
            else f"the batch lacks {-extra_bytes} of its {header.size_bytes} bytes"
        )
        raise InvalidRecord(ErrorCode.INVALID_RECORD, message)
    return header


def _check_codec(codec: int, zstd_allowed: bool) -> None:
    if codec > Compression.ZSTD:
        message = f"unknown compression code {codec}"
    elif not zstd_allowed:
        message = "zstd needs Produce version 7 or later"
    else:
        return
    raise ApiError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, message)


def _check_header(header: BatchHeader) -> None:
    """What a client may not claim."""
    count = header.records_count
    if count <= 0:
        message = f"a batch of {count} records"
    elif header.last_offset_delta != count - 1:
        message = f"{count} records with last offset delta {header.last_offset_delta}"
    elif header.attributes & CONTROL_BIT:
        message = "clients may not write control records"
    elif header.producer_id >= 0 and (header.base_sequence < 0 or header.producer_epoch < 0):
        message = (
            f"producer {header.producer_id} with epoch {header.producer_epoch} "
            f"and sequence {header.base_sequence}"
        )
    else:
        return
    raise InvalidRecord(ErrorCode.INVALID_RECORD, message)


def _check_size(size_bytes: int, rules: ProduceRules) -> None:
    if size_bytes > rules.max_message_bytes:
        raise ApiError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"a batch of {size_bytes} bytes, max.message.bytes is {rules.max_message_bytes}",
        )
    if size_bytes > rules.segment_bytes:
        raise ApiError(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"a batch of {size_bytes} bytes, segment.bytes is {rules.segment_bytes}",
        )


def _check_records(
    header: BatchHeader, data: Buffer, rules: ProduceRules, now_ms: int
) -> CheckedBatch:
    """Look at each record; correct what the header says about timestamps; change the codec."""
    errors: list[tuple[int, str]] = []
    error: str | None
    code = ErrorCode.INVALID_RECORD
    newest = NO_TIMESTAMP
    if header.records_count > RECORDS_LIMIT:
        raise InvalidRecord(
            ErrorCode.INVALID_RECORD, f"{header.records_count} records, limit {RECORDS_LIMIT}"
        )
    try:
        block = records_block(data, header)
        for index, record in enumerate(parse_records(block, header)):
            newest = max(newest, record.timestamp)
            if rules.compacted and record.key is None:
                error = "a record of a compacted topic needs a key"
            else:
                error = _timestamp_error(record.timestamp, header, rules, now_ms)
                if not error:
                    continue
                code = ErrorCode.INVALID_TIMESTAMP
            if len(errors) < RECORD_ERRORS_LIMIT:
                errors.append((index, error))
    except CorruptBatch as corrupt:
        raise InvalidRecord(ErrorCode.INVALID_RECORD, str(corrupt)) from None
    if errors:
        raise InvalidRecord(code, f"the batch is rejected: {errors[0][1]}", errors)
    if rules.codec is not None and rules.codec != header.compression:
        header, data = _recompress(header, block, rules)
    if rules.timestamp_type_log_append:
        return _stamp(header, data, LOG_APPEND_TIME_BIT, now_ms)
    if header.has_log_append_time or newest != header.max_timestamp:
        return _stamp(header, data, 0, newest)
    return CheckedBatch(header, data)


def _timestamp_error(
    timestamp: int, header: BatchHeader, rules: ProduceRules, now_ms: int
) -> str | None:
    if timestamp == NO_TIMESTAMP or rules.timestamp_type_log_append:
        if header.has_log_append_time:
            return "a producer may not set the timestamp type LogAppendTime"
        return None
    before_ms, after_ms = rules.timestamp_before_max_ms, rules.timestamp_after_max_ms
    if now_ms - timestamp > before_ms or timestamp - now_ms > after_ms:
        return (
            f"timestamp {timestamp} is out of range: it may be at most {before_ms} ms before "
            f"and {after_ms} ms after {now_ms}"
        )
    return None


def _recompress(header: BatchHeader, block: bytes, rules: ProduceRules) -> CheckedBatch:
    """The same records under the topic's codec, which may make the batch too large."""
    assert rules.codec is not None
    data = seal_batch(
        compress(rules.codec, block, rules.compression_levels.get(rules.codec)),
        base_offset=header.base_offset,
        leader_epoch=header.partition_leader_epoch,
        attributes=header.attributes & ~COMPRESSION_MASK | rules.codec,
        last_offset_delta=header.last_offset_delta,
        base_timestamp=header.base_timestamp,
        max_timestamp=header.max_timestamp,
        producer=(header.producer_id, header.producer_epoch, header.base_sequence),
        records_count=header.records_count,
    )
    _check_size(len(data), rules)
    return CheckedBatch(parse_header(data), data)


def _stamp(
    header: BatchHeader, data: Buffer, timestamp_type_bit: int, max_timestamp: int
) -> CheckedBatch:
    """A copy that says when its records are from, with a new CRC."""
    copy = bytearray(data)
    attributes = header.attributes & ~LOG_APPEND_TIME_BIT | timestamp_type_bit
    _ATTRIBUTES.pack_into(copy, ATTRIBUTES_OFFSET, attributes)
    _TIMESTAMP.pack_into(copy, MAX_TIMESTAMP_OFFSET, max_timestamp)
    write_crc(copy)
    return CheckedBatch(parse_header(copy), copy)


def verified(found: LogSlice) -> LogSlice:
    """What was found in a log, up to the first batch that is damaged (`log.read.verify`).

    All of it is read for that. Raises `CorruptBatch` when that is the first one of all,
    `StorageFailed`.
    """
    sound: list[Buffer] = []
    for buffer in map(in_memory, found.pieces):
        sound_bytes, problem = _sound_bytes(memoryview(buffer))
        if problem is None:
            sound.append(buffer)
            continue
        if sound_bytes:
            sound.append(memoryview(buffer)[:sound_bytes])
        if not sound:
            raise CorruptBatch(problem)
        *_, last = iterate_headers(sound[-1])
        return LogSlice(sound, sum(map(len, sound)), last.next_offset)
    return LogSlice(sound, found.size_bytes, found.next_offset)


def _sound_bytes(batches: memoryview) -> tuple[int, str | None]:
    """The size of the batches that are whole, and what is wrong with the one behind them."""
    at = 0
    while at < len(batches):
        try:
            header = parse_header(batches, at)
        except CorruptBatch as damage:
            return at, str(damage)
        if not check_crc(batches[at:], header):
            return at, f"wrong CRC of the batch at offset {header.base_offset}"
        at += header.size_bytes
    return at, None
