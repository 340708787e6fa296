"""Batches as compaction leaves them: spans of records, and what a batch becomes without some."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch

from godel.errors import CorruptBatch
from godel.records.batch import (
    HEADER_SIZE,
    check_crc,
    iterate_records,
    parse_header,
    record_spans,
    records_block,
)
from godel.records.builder import build_batch, rebuild_batch
from godel.records.compression import Compression
from tests.records.test_batch import NOW_MS, codecs, new_records

READ_BY_KAFKA_PYTHON = (Compression.NONE, Compression.GZIP)
"""For the others it wants libraries that only the client suites install."""


@given(new_records, codecs, st.data(), st.sampled_from([None, NOW_MS + 86_400_000, 5]))
def test_what_is_kept_stays_as_it_was(
    records: list[object], codec: Compression, data: st.DataObject, horizon_ms: int | None
) -> None:
    batch = build_batch(
        records,  # type: ignore[arg-type]  # a list of NewRecord
        timestamp_ms=NOW_MS,
        compression=codec,
        producer_id=7,
        producer_epoch=2,
        base_sequence=11,
        base_offset=1000,
        leader_epoch=3,
    )
    header = parse_header(batch)
    block = records_block(batch, header)
    spans = list(record_spans(block, header))
    whole = list(iterate_records(batch))
    assert [(span.key, span.has_value) for span in spans] == [
        (record.key, record.value is not None) for record in whole
    ]
    chosen = data.draw(st.lists(st.sampled_from(range(len(spans))), min_size=1, unique=True))
    chosen.sort()
    kept = [spans[number] for number in chosen]
    rebuilt = rebuild_batch(header, block, kept, delete_horizon_ms=horizon_ms)
    after = parse_header(rebuilt)
    assert check_crc(rebuilt, after)
    assert list(iterate_records(rebuilt)) == [whole[number] for number in chosen]
    assert after.max_timestamp == max(whole[number].timestamp for number in chosen)
    assert after.has_delete_horizon == (horizon_ms is not None)
    assert horizon_ms is None or after.base_timestamp == horizon_ms
    for name in (
        "base_offset",
        "last_offset_delta",
        "partition_leader_epoch",
        "producer_id",
        "producer_epoch",
        "base_sequence",
        "compression",
    ):
        assert getattr(after, name) == getattr(header, name), name
    theirs = DefaultRecordBatch(rebuilt)
    assert theirs.validate_crc()
    if codec in READ_BY_KAFKA_PYTHON:
        assert [record.offset for record in theirs] == [whole[number].offset for number in chosen]


def test_the_brokers_time_stays() -> None:
    batch = build_batch(
        [(b"a", None), (b"b", b"v")], timestamp_ms=NOW_MS, has_log_append_time=True, base_offset=5
    )
    header = parse_header(batch)
    block = records_block(batch, header)
    last = list(record_spans(block, header))[1:]
    for horizon_ms in (None, NOW_MS + 9):
        rebuilt = rebuild_batch(header, block, last, delete_horizon_ms=horizon_ms)
        (record,) = iterate_records(rebuilt)
        assert (record.offset, record.timestamp) == (6, NOW_MS)


def test_without_records_a_header_stays() -> None:
    batch = build_batch(
        [(b"a", b"1")] * 3, timestamp_ms=NOW_MS, compression=Compression.ZSTD, base_sequence=4
    )
    header = parse_header(batch)
    rebuilt = rebuild_batch(header, records_block(batch, header), [], delete_horizon_ms=None)
    after = parse_header(rebuilt)
    assert len(rebuilt) == HEADER_SIZE
    assert (after.records_count, after.last_sequence, after.compression) == (0, 6, Compression.NONE)
    assert (after.base_timestamp, after.max_timestamp) == (-1, NOW_MS)
    assert list(iterate_records(rebuilt)) == []


@given(st.binary(max_size=60), st.integers(0, 5))
def test_nonsense_is_a_corrupt_batch(block: bytes, count: int) -> None:
    header = parse_header(build_batch([(b"k", b"v")] * 6, timestamp_ms=NOW_MS))
    with suppress(CorruptBatch):
        list(record_spans(block, header._replace(records_count=count)))


def test_a_timestamp_that_cannot_be_told_from_the_horizon_is_refused() -> None:
    batch = build_batch([(b"k", None)], timestamp_ms=NOW_MS)
    header = parse_header(batch)._replace(base_timestamp=-(2**63))
    block = records_block(batch, header)
    kept = list(record_spans(block, header))
    with pytest.raises(CorruptBatch):
        rebuild_batch(header, block, kept, delete_horizon_ms=NOW_MS)
