"""Open transactions: begun once, ended by a marker, and what an abort leaves for the index."""

from __future__ import annotations

import pytest

from godel.records.batch import BatchHeader, EndMarker, parse_header
from godel.records.builder import build_batch, control_batch
from godel.records.transactions import AbortedTransaction, OpenTransactions

COMMIT, ABORT = EndMarker(True, 3), EndMarker(False, 3)


def data(producer_id: int, base_offset: int, *, is_transactional: bool = True) -> BatchHeader:
    return parse_header(
        build_batch(
            [(None, b"v")],
            timestamp_ms=0,
            producer_id=producer_id,
            producer_epoch=0,
            base_offset=base_offset,
            is_transactional=is_transactional,
        )
    )


def end(producer_id: int, base_offset: int) -> BatchHeader:
    batch = control_batch(COMMIT, producer_id=producer_id, producer_epoch=0, timestamp_ms=0)
    return parse_header(batch)._replace(base_offset=base_offset)


def test_a_transaction_begins_with_its_first_batch() -> None:
    transactions = OpenTransactions()
    assert transactions.first_offset is None
    for header in (data(1, 4), data(2, 5), data(1, 6)):
        transactions.replay(header, None)
    assert transactions.first_offset == 4
    assert [transactions.first_offset_of(one) for one in (1, 2, 3)] == [4, 5, None]
    assert 1 in transactions
    assert 3 not in transactions


def test_batches_outside_of_transactions_open_none() -> None:
    transactions = OpenTransactions()
    assert transactions.replay(data(1, 0, is_transactional=False), None) is None
    assert transactions.first_offset is None


@pytest.mark.parametrize("marker", [COMMIT, None])
def test_a_commit_or_an_emptied_marker_ends_it_and_aborts_nothing(
    marker: EndMarker | None,
) -> None:
    transactions = OpenTransactions({1: 4})
    assert transactions.replay(end(1, 9), marker) is None
    assert transactions.first_offset is None


def test_an_abort_says_what_is_stable_since() -> None:
    transactions = OpenTransactions({1: 4, 2: 6})
    assert transactions.replay(end(2, 9), ABORT) == AbortedTransaction(2, 6, 9, 4)
    assert transactions.replay(end(1, 10), ABORT) == AbortedTransaction(1, 4, 10, 11)


def test_an_abort_of_nothing_aborts_nothing() -> None:
    assert OpenTransactions({1: 4}).replay(end(2, 9), ABORT) is None


def test_a_transaction_stays_open_until_its_end_is_taken_over() -> None:
    transactions = OpenTransactions({1: 4})
    assert transactions.aborted_by(ABORT, 1, 9) == AbortedTransaction(1, 4, 9, 10)
    assert transactions.first_offset == 4
    assert transactions.end(1) == 4
    assert transactions.end(1) is None


def test_a_snapshot_may_name_transactions_in_any_order() -> None:
    transactions = OpenTransactions({1: 50, 2: -1, 3: 40})
    assert transactions.first_offset == 40
    assert 2 not in transactions
