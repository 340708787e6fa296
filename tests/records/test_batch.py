"""Reading batches: against our own builder, against kafka-python, and against nonsense."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from godel.errors import CorruptBatch
from godel.records.batch import (
    HEADER,
    HEADER_SIZE,
    BatchHeader,
    EndMarker,
    Record,
    check_crc,
    iterate_headers,
    iterate_records,
    parse_header,
    read_end_marker,
)
from godel.records.builder import NewRecord, build_batch, control_batch, seal_batch
from godel.records.compression import Compression

NOW_MS = 1_700_000_000_000

codecs = st.sampled_from(list(Compression))
field_bytes = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=50)), max_size=4)
timestamps = st.integers(NOW_MS - 10**6, NOW_MS + 10**6)
new_records = st.lists(
    st.builds(NewRecord, field_bytes, field_bytes, headers, timestamps), min_size=1, max_size=20
)


def sealed(block: bytes, count: int, **changes: int) -> bytes:
    """A batch with this very block of records in it."""
    header = {"attributes": 0, "last_offset_delta": count - 1, "records_count": count} | changes
    return seal_batch(
        block,
        base_offset=0,
        leader_epoch=-1,
        base_timestamp=NOW_MS,
        max_timestamp=NOW_MS,
        producer=(-1, -1, -1),
        **header,
    )


def as_records(written: list[NewRecord], base_offset: int = 0) -> list[Record]:
    return [
        Record(base_offset + i, r.timestamp_ms or 0, r.key, r.value, list(r.headers))
        for i, r in enumerate(written)
    ]


@given(records=new_records, codec=codecs, base_offset=st.integers(0, 2**40))
def test_what_was_built_is_read(
    records: list[NewRecord], codec: Compression, base_offset: int
) -> None:
    batch = build_batch(records, timestamp_ms=0, compression=codec, base_offset=base_offset)
    header = parse_header(batch)
    assert check_crc(batch, header)
    assert header.size_bytes == len(batch)
    assert header.compression is codec
    assert header.records_count == len(records)
    assert header.next_offset == header.last_offset + 1 == base_offset + len(records)
    assert header.max_timestamp == max(r.timestamp_ms or 0 for r in records)
    assert list(iterate_records(memoryview(batch))) == as_records(records, base_offset)


@given(records=new_records, codec=st.sampled_from([Compression.NONE, Compression.GZIP]))
def test_kafka_python_reads_what_we_build(records: list[NewRecord], codec: Compression) -> None:
    batch = build_batch(
        records,
        timestamp_ms=0,
        compression=codec,
        producer_id=7,
        producer_epoch=3,
        base_sequence=11,
        is_transactional=True,
    )
    read = DefaultRecordBatch(batch)
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (7, 3, 11)
    assert read.is_transactional
    assert not read.is_control_batch
    assert [
        Record(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in read
    ] == as_records(records)


@given(records=new_records, codec=st.sampled_from([Compression.NONE, Compression.GZIP]))
def test_we_read_what_kafka_python_builds(records: list[NewRecord], codec: Compression) -> None:
    builder = DefaultRecordBatchBuilder(2, int(codec), False, 7, 3, 11, 10**6)
    for offset, record in enumerate(records):
        built = builder.append(
            offset, record.timestamp_ms, record.key, record.value, list(record.headers)
        )
        assert built is not None
    batch = bytes(builder.build())
    header = parse_header(batch)
    assert check_crc(batch, header)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (7, 3, 11)
    assert list(iterate_records(batch)) == as_records(records)


def test_the_header_is_what_the_table_of_the_format_says() -> None:
    fields = (5, 100, 9, 2, 0xFFFFFFFF, 0x3C, 6, 10, 11, 12, 13, 14, 7)
    raw = struct.pack(">qiibIhiqqqhii", *fields)
    assert len(raw) == HEADER_SIZE == 61
    header = parse_header(b"xx" + raw, 2)
    assert header == BatchHeader(*fields)
    assert header.size_bytes == 112
    assert (header.last_offset, header.next_offset) == (11, 12)
    assert header.is_transactional
    assert header.is_control
    assert header.has_log_append_time
    assert not header.has_delete_horizon
    assert header.compression is Compression.ZSTD
    assert header.last_sequence == 20


def test_sequences_wrap_after_the_largest_int32() -> None:
    header = parse_header(build_batch([(None, b"")] * 3, timestamp_ms=0, base_sequence=2**31 - 2))
    assert header.last_sequence == 0
    assert parse_header(build_batch([(None, b"")], timestamp_ms=0)).last_sequence == -1


@pytest.mark.parametrize("code", [5, 6, 7])
def test_an_unknown_codec_is_corrupt(code: int) -> None:
    batch = sealed(b"x", 1, attributes=code)
    with pytest.raises(CorruptBatch, match="compression"):
        _ = parse_header(batch).compression
    with pytest.raises(CorruptBatch, match="compression"):
        list(iterate_records(batch))


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_a_cut_header(size: int) -> None:
    with pytest.raises(CorruptBatch):
        parse_header(build_batch([(None, b"")], timestamp_ms=0)[:size])


@pytest.mark.parametrize("magic", [-1, 0, 1, 3])
def test_other_magics(magic: int) -> None:
    raw = bytearray(build_batch([(None, b"")], timestamp_ms=0))
    raw[16] = magic & 0xFF
    with pytest.raises(CorruptBatch, match="magic"):
        parse_header(raw)


@pytest.mark.parametrize("length", [-(2**31), -1, 0, 48])
def test_lengths_that_no_batch_has(length: int) -> None:
    raw = bytearray(build_batch([(None, b"")], timestamp_ms=0))
    raw[8:12] = struct.pack(">i", length)
    with pytest.raises(CorruptBatch, match="length"):
        parse_header(raw)


def test_batches_back_to_back() -> None:
    batches = [
        build_batch([(b"k", b"v" * n)] * n, timestamp_ms=n, base_offset=n) for n in (1, 2, 3)
    ]
    joined = b"".join(batches)
    assert [h.base_offset for h in iterate_headers(joined)] == [1, 2, 3]
    assert list(iterate_headers(b"")) == []
    for tail in (1, 60, 61, 70):
        with pytest.raises(CorruptBatch):
            list(iterate_headers(joined + batches[1][:tail]))


def test_any_flipped_bit_behind_the_crc_is_noticed() -> None:
    batch = bytearray(build_batch([(b"key", b"value")], timestamp_ms=NOW_MS))
    header = parse_header(batch)
    for at in range(17, len(batch)):
        batch[at] ^= 0x10
        assert not check_crc(batch, parse_header(batch))
        batch[at] ^= 0x10
    assert check_crc(batch, header)
    assert check_crc(batch + b"next", header)
    assert not check_crc(batch[:-1], header)


def test_log_append_time_is_every_records_time() -> None:
    records = [NewRecord(None, b"", timestamp_ms=t) for t in (1, 5, 3)]
    batch = build_batch(records, timestamp_ms=0, has_log_append_time=True)
    assert [r.timestamp for r in iterate_records(batch)] == [5, 5, 5]


def test_an_emptied_batch_has_no_records() -> None:
    for codec in Compression:
        assert list(iterate_records(sealed(b"", 0, attributes=codec, last_offset_delta=9))) == []


def test_compaction_leaves_gaps_between_offsets() -> None:
    first, second = bytes.fromhex("0c0000040101 00"), bytes.fromhex("0c00000a0101 00")
    batch = sealed(first + second, 2, last_offset_delta=7)
    assert [r.offset for r in iterate_records(batch)] == [2, 5]


RECORD = bytes.fromhex("0c 00 00 00 01 01 00")
"""Length 6, attributes, two deltas of 0, no key, no value, no headers."""


def test_the_smallest_record() -> None:
    assert list(iterate_records(sealed(RECORD, 1))) == [Record(0, NOW_MS, None, None, [])]


@pytest.mark.parametrize(
    ("block", "count"),
    [
        pytest.param(RECORD, 2, id="fewer records than counted"),
        pytest.param(RECORD, 0, id="more records than counted"),
        pytest.param(RECORD, -1, id="negative count"),
        pytest.param(RECORD * 2, 1, id="bytes behind the last record"),
        pytest.param(RECORD * 2, 2, id="the same offset twice"),
        pytest.param(RECORD[:-1] + b"\x01", 1, id="negative count of headers"),
        pytest.param(bytes.fromhex("0e 00 00 00 01 01 00"), 1, id="length past the end"),
        pytest.param(bytes.fromhex("0a 00 00 00 01 01 00"), 1, id="length too short"),
        pytest.param(bytes.fromhex("01 00 00 00 01 01 00"), 1, id="negative length"),
        pytest.param(bytes.fromhex("0c 00 00 00 03 01 00"), 1, id="key length -2"),
        pytest.param(bytes.fromhex("0c 00 00 00 01 03 00"), 1, id="value length -2"),
        pytest.param(bytes.fromhex("0c 00 00 00 01 20 00"), 1, id="value past the end"),
        pytest.param(bytes.fromhex("0c 00 00 01 01 01 00"), 1, id="negative offset"),
        pytest.param(bytes.fromhex("0c 00 00 02 01 01 00"), 1, id="offset past the last"),
        pytest.param(bytes.fromhex("0c 00 00 00 01 01 02"), 1, id="header without bytes"),
        pytest.param(bytes.fromhex("10 00 00 00 01 01 02 01 01"), 1, id="header without key"),
        pytest.param(bytes.fromhex("12 00 00 00 01 01 02 02 ff 01"), 1, id="header not UTF-8"),
        pytest.param(bytes.fromhex("0c 00 80 80 80 80 80"), 1, id="varint without end"),
        pytest.param(bytes.fromhex("ff ff ff ff ff 01") + RECORD, 1, id="varint of 6 bytes"),
        pytest.param(bytes.fromhex("ff ff ff ff 1f") + RECORD, 1, id="varint of 33 bits"),
        pytest.param(
            bytes.fromhex("1e 00 ff ff ff ff ff ff ff ff ff 03 00 01 01 00"), 1, id="65 bits"
        ),
        pytest.param(
            bytes.fromhex("1e 00 fe ff ff ff ff ff ff ff ff 01 00 01 01 00"), 1, id="timestamp"
        ),
    ],
)
def test_nonsense_inside_a_batch(block: bytes, count: int) -> None:
    batch = sealed(block, count, last_offset_delta=max(count - 1, 0))
    with pytest.raises(CorruptBatch):
        list(iterate_records(batch))


def test_a_batch_of_missing_bytes() -> None:
    batch = build_batch([(None, b"value")], timestamp_ms=0)
    with pytest.raises(CorruptBatch):
        iterate_records(batch[:-1])


def test_the_limit_of_what_a_batch_unfolds_to() -> None:
    batch = build_batch([(None, bytes(10**6))], timestamp_ms=0, compression=Compression.ZSTD)
    assert len(list(iterate_records(batch))) == 1
    with pytest.raises(CorruptBatch):
        iterate_records(batch, max_bytes=10**6)


@given(block=st.binary(max_size=100), count=st.integers(-1, 20), codec=st.integers(0, 7))
def test_garbage_for_records(block: bytes, count: int, codec: int) -> None:
    batch = sealed(block, count, attributes=codec)
    with suppress(CorruptBatch):
        assert len(list(iterate_records(batch))) == count


@given(garbage=st.binary(max_size=200))
def test_garbage_for_batches(garbage: bytes) -> None:
    with suppress(CorruptBatch):
        assert not [h for h in iterate_headers(garbage) if check_crc(garbage, h)]


@given(records=new_records, at=st.integers(0, 10_000), byte=st.integers(0, 255), codec=codecs)
def test_a_changed_byte(records: list[NewRecord], at: int, byte: int, codec: Compression) -> None:
    batch = bytearray(build_batch(records, timestamp_ms=0, compression=codec))
    batch[at % len(batch)] = byte
    with suppress(CorruptBatch):
        assert all(isinstance(record, Record) for record in iterate_records(batch))


@pytest.mark.parametrize("marker", [EndMarker(True, 5), EndMarker(False, -1)])
def test_the_marker_at_the_end_of_a_transaction(marker: EndMarker) -> None:
    batch = control_batch(marker, producer_id=9, producer_epoch=1, timestamp_ms=NOW_MS)
    header = parse_header(batch)
    assert header.attributes == 0x30
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (9, 1, -1)
    assert header.records_count == 1
    assert check_crc(batch, header)
    assert read_end_marker(batch) == marker
    (control,) = DefaultRecordBatch(batch)
    assert (control.commit, control.abort) == (marker.is_commit, not marker.is_commit)


def test_control_records_that_end_no_transaction() -> None:
    leader_change = build_batch([(struct.pack(">hh", 0, 2), b"")], timestamp_ms=0, is_control=True)
    assert read_end_marker(leader_change) is None
    assert read_end_marker(sealed(b"", 0, attributes=0x30)) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, b""), (b"\0\0\0", b""), (b"\0\0\0\1", None), (b"\0\0\0\1", b"\0\0\0\0\0")],
)
def test_broken_control_records(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(CorruptBatch):
        read_end_marker(build_batch([(key, value)], timestamp_ms=0, is_control=True))


def test_header_and_struct_have_the_same_fields() -> None:
    assert len(BatchHeader._fields) == len(HEADER.unpack(bytes(HEADER_SIZE)))
