"""The transaction index: Kafka's bytes, searching, and what is not believed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.records.transactions import AbortedTransaction
from godel.storage.memory_files import MemoryFiles
from godel.storage.transaction_index import ENTRIES_PER_READ, ENTRY_SIZE, TransactionIndex

NEWER = struct.pack(">hqqqq", 1, 7, 10, 11, 12)
FIRST, SECOND = AbortedTransaction(7, 2, 9, 3), AbortedTransaction(8, 3, 12, 13)


def index_of(*entries: AbortedTransaction) -> TransactionIndex:
    index = TransactionIndex(MemoryFiles().open("0.txnindex"))
    for entry in entries:
        index.append(entry)
    return index


def test_an_entry_has_kafkas_bytes() -> None:
    index = index_of(AbortedTransaction(0x0102, 0x03, 0x0405, 0x06))
    assert index.file.pread(0, 100).hex() == (
        "00000000000000000102000000000000000300000000000004050000000000000006"
    )
    assert ENTRY_SIZE == 34


def test_entries_come_back_in_order_from_where_they_are_wanted() -> None:
    entries = [AbortedTransaction(1, 2 * n, 2 * n + 1, 2 * n + 2) for n in range(200)]
    index = index_of(*entries)
    assert len(index) == 200 > 2 * ENTRIES_PER_READ
    assert list(index.entries()) == entries
    assert list(index.entries(130)) == entries[130:]
    assert list(index.entries(200)) == []


@given(st.sets(st.integers(0, 60)), st.integers(0, 70))
def test_the_first_marker_at_or_behind_an_offset_is_found(
    last_offsets: set[int], offset: int
) -> None:
    index = index_of(*[AbortedTransaction(1, 0, last, 0) for last in sorted(last_offsets)])
    assert index.find(offset) == sum(last < offset for last in last_offsets)


def test_what_lies_behind_an_offset_is_forgotten() -> None:
    index = index_of(FIRST, SECOND)
    index.keep_below(13)
    assert len(index) == 2
    index.keep_below(12)
    assert list(index.entries()) == [FIRST]
    index.append(SECOND)
    assert list(index.entries()) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "entries",
    [
        [SECOND, FIRST],
        [FIRST, FIRST],
        [FIRST._replace(first_offset=-1)],
        [FIRST._replace(first_offset=9)],
        [FIRST._replace(producer_id=-1)],
        [FIRST._replace(last_stable_offset=-1)],
        [FIRST._replace(last_stable_offset=11)],
        [FIRST, SECOND._replace(last_stable_offset=2)],
        [FIRST, SECOND._replace(first_offset=2)],
    ],
)
def test_entries_that_cannot_be_are_not_believed(entries: list[AbortedTransaction]) -> None:
    assert not index_of(*entries).is_sound(0, 100)


def test_an_index_belongs_to_its_segment() -> None:
    index = index_of(FIRST, SECOND)
    assert index.is_sound(9, 13)
    assert not index.is_sound(10, 13)
    assert not index.is_sound(9, 12)
    assert index_of().is_sound(5, 5)


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 33, NEWER])
def test_a_torn_or_foreign_entry_is_not_believed(tail: bytes) -> None:
    index = index_of(FIRST)
    index.file.append((tail,), len(tail))
    assert not index.is_sound(0, 2**62)
