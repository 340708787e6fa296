from __future__ import annotations

import pytest

from godel.coordinator.replay import committed_records
from godel.errors import CorruptBatch
from godel.records.batch import EndMarker
from godel.records.builder import build_batch, control_batch


def decode(key: bytes, value: bytes | None) -> int | None:
    assert value is not None
    return int(value) if key == b"add" else None


def plain(*amounts: int) -> bytes:
    return build_batch([(b"add", b"%d" % amount) for amount in amounts], timestamp_ms=0)


def part(producer_id: int, amount: int) -> bytes:
    return build_batch(
        [(b"add", b"%d" % amount)],
        timestamp_ms=0,
        producer_id=producer_id,
        producer_epoch=0,
        base_sequence=0,
        is_transactional=True,
    )


def end(producer_id: int, *, is_commit: bool) -> bytes:
    marker = EndMarker(is_commit=is_commit, coordinator_epoch=0)
    return control_batch(marker, producer_id=producer_id, producer_epoch=0, timestamp_ms=0)


def test_a_piece_may_have_several_batches() -> None:
    assert list(committed_records([plain(1, 2) + plain(3), plain(4)], decode)) == [1, 2, 3, 4]


def test_a_record_that_nobody_knows_does_not_count() -> None:
    batch = build_batch([(b"unknown", b"9"), (None, b"9"), (b"add", b"4")], timestamp_ms=0)
    assert list(committed_records([batch], decode)) == [None, None, 4]


def test_of_transactions_only_the_committed_count_and_from_their_marker_on() -> None:
    pieces = [
        part(1, 1),
        part(2, 20),
        plain(4000),
        end(1, is_commit=True),
        end(2, is_commit=False),
        part(3, 300),
    ]
    assert list(committed_records(pieces, decode)) == [None, None, 4000, 1, None]


def test_a_transaction_counts_once() -> None:
    pieces = [part(1, 1), end(1, is_commit=True), end(1, is_commit=True)]
    assert list(committed_records(pieces, decode)) == [None, 1]


def test_a_damaged_batch_is_an_error() -> None:
    records = committed_records([plain(1), plain(2)[:-3]], decode)
    assert next(records) == 1
    with pytest.raises(CorruptBatch):
        next(records)
