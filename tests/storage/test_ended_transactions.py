"""Which batches of ended transactions are garbage."""

from __future__ import annotations

from godel.records.batch import EndMarker, parse_header
from godel.records.builder import build_batch, control_batch
from godel.records.transactions import AbortedTransaction
from godel.storage.ended_transactions import EndedTransactions
from tests.transactions import NOW_MS, transactional


def at(offset: int, batch: bytes) -> bytes:
    return offset.to_bytes(8, "big") + batch[8:]


def data(offset: int, producer_id: int) -> bytes:
    return at(offset, transactional("value", producer_id=producer_id))


def marker(offset: int, producer_id: int, *, is_commit: bool) -> bytes:
    end = EndMarker(is_commit, 0)
    batch = control_batch(end, producer_id=producer_id, producer_epoch=0, timestamp_ms=NOW_MS)
    return at(offset, batch)


def walk(ended: EndedTransactions, *batches: bytes) -> list[bool]:
    return [ended.is_garbage(parse_header(batch), batch) for batch in batches]


def test_what_was_aborted_is_garbage_and_what_was_committed_is_not() -> None:
    ended = EndedTransactions([AbortedTransaction(7, 0, 3, 1)])
    batches = data(0, 7), data(1, 9), data(2, 7), marker(3, 7, is_commit=False), data(4, 7)
    assert walk(ended, *batches) == [True, False, True, False, False]
    assert walk(ended, marker(5, 9, is_commit=True)) == [False]


def test_a_marker_of_nothing_is_garbage_whatever_it_says() -> None:
    ended = EndedTransactions([AbortedTransaction(7, 0, 3, 1)])
    markers = [marker(3, 7, is_commit=False), marker(4, 8, is_commit=True)]
    assert walk(ended, *markers) == [True, True]
    assert ended.kept == []


def test_the_entry_of_a_marker_that_stays_is_kept() -> None:
    entries = [AbortedTransaction(8, 1, 2, 0), AbortedTransaction(7, 0, 3, 4)]
    ended = EndedTransactions(entries)
    walk(ended, data(0, 7), data(1, 8), marker(2, 8, is_commit=False))
    assert ended.kept == entries[:1]
    walk(ended, marker(3, 7, is_commit=False))
    assert ended.kept == entries


def test_what_has_no_transaction_is_no_garbage() -> None:
    ended = EndedTransactions([AbortedTransaction(7, 0, 3, 1)])
    plain = build_batch([(b"k", b"v")], timestamp_ms=NOW_MS, producer_id=7)
    assert walk(ended, plain) == [False]
