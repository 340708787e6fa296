"""Building batches. That they can be read back is tested with the reader."""

from __future__ import annotations

import pytest

from godel.records.batch import iterate_records, parse_header
from godel.records.builder import NewRecord, build_batch, write_crc
from godel.records.compression import Compression


def test_the_bytes_of_a_known_batch() -> None:
    batch = build_batch(
        [(b"k", b"v"), NewRecord(None, None, [("h", b"x"), ("n", None)], 1003)],
        timestamp_ms=1000,
        producer_id=1,
        producer_epoch=2,
        base_sequence=3,
        base_offset=4,
        leader_epoch=5,
    )
    assert batch[21:61].hex() == (
        "0000" "00000001" "00000000000003e8" "00000000000003eb"
        "0000000000000001" "0002" "00000003" "00000002"
    )  # fmt: skip
    assert batch[61:].hex() == "10000000026b027600" "1a0006020101040268027802" "6e01"  # fmt: skip


def test_plain_pairs_take_the_batchs_time() -> None:
    batch = build_batch([(b"a", None), (None, b"b")], timestamp_ms=77)
    assert [(r.key, r.value, r.timestamp) for r in iterate_records(batch)] == [
        (b"a", None, 77),
        (None, b"b", 77),
    ]


def test_the_largest_timestamp_is_the_batchs() -> None:
    records = [NewRecord(None, b"", timestamp_ms=t) for t in (50, 90, 20)]
    header = parse_header(build_batch(records, timestamp_ms=0))
    assert (header.base_timestamp, header.max_timestamp) == (50, 90)


def test_an_empty_batch() -> None:
    header = parse_header(build_batch([], timestamp_ms=9))
    assert (header.records_count, header.last_offset_delta, header.max_timestamp) == (0, -1, 9)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576])
def test_lengths_around_each_size_of_varint(length: int) -> None:
    (record,) = iterate_records(build_batch([(b"x" * length, b"")], timestamp_ms=0))
    assert record.key == b"x" * length


@pytest.mark.parametrize("delta", [0, 1, -1, 63, -64, 64, -65, 2**31, -(2**31), 2**62, -(2**62)])
def test_deltas_around_each_size_of_varint(delta: int) -> None:
    records = [NewRecord(None, b"", timestamp_ms=t) for t in (0, delta)]
    assert [r.timestamp for r in iterate_records(build_batch(records, timestamp_ms=0))] == [
        0,
        delta,
    ]


def test_each_codec_names_itself() -> None:
    for codec in Compression:
        batch = build_batch([(None, b"v" * 1000)], timestamp_ms=0, compression=codec)
        assert parse_header(batch).compression is codec


def test_the_crc_covers_what_follows_it() -> None:
    batch = bytearray(build_batch([(b"k", b"v")], timestamp_ms=0))
    before = bytes(batch)
    batch[:17] = bytes(17)
    write_crc(batch)
    assert batch[17:] == before[17:]
    batch[-1] ^= 1
    write_crc(batch)
    assert batch[17:21] != before[17:21]
