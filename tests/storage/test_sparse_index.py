from __future__ import annotations

import pytest

from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.memory_files import MemoryFiles
from godel.storage.offset_index import OffsetIndex
from tests.storage.harness import put


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 0),
        (bytes(800), 0),
        (b"\0\0\0\1\0\0\1\0", 1),
        (b"\0\0\0\1\0\0\1\0" + bytes(80), 1),
        (b"\0\0\0\1\0\0\1\0" + b"\0\0\0\2\0\0", 1),
        (b"\0\0\0\1\0\0\1\0" + b"\0\0\0\2\1\0\0\0" + bytes(4), 2),
    ],
)
def test_zeros_and_halves_at_the_end_are_no_entries(data: bytes, count: int) -> None:
    files = MemoryFiles()
    put(files, "i", data)
    index = OffsetIndex(files, "i", is_new=False)
    assert len(index) == count
    index.write()
    assert len(files.read("i")) == 8 * count


def index_of(files: FaultyFiles, *entries: tuple[int, int], kept: int) -> OffsetIndex:
    """One whose file has these entries, and of which so many count."""
    index = OffsetIndex(files, "i", is_new=True)
    for entry in entries:
        index.append(*entry)
    index.write()
    index = OffsetIndex(files, "i", is_new=False)
    index.keep(kept)
    return index


def test_what_comes_again_as_it_is_in_the_file_is_not_written_again() -> None:
    files = FaultyFiles()
    index = index_of(files, (1, 100), (2, 200), (3, 300), kept=1)
    files.fail(lambda operation: operation.kind is Kind.TRUNCATE)
    for entry in ((2, 200), (3, 300), (4, 400)):
        index.append(*entry)
    index.write()
    assert list(OffsetIndex.ENTRY.iter_unpack(files.read("i"))) == [
        (1, 100),
        (2, 200),
        (3, 300),
        (4, 400),
    ]


@pytest.mark.parametrize("again", [[(2, 250), (3, 300)], [(2, 200)], []])
def test_what_comes_otherwise_or_not_at_all_is_cut_off(again: list[tuple[int, int]]) -> None:
    files = FaultyFiles()
    index = index_of(files, (1, 100), (2, 200), (3, 300), kept=1)
    for entry in again:
        index.append(*entry)
    index.write()
    assert list(OffsetIndex.ENTRY.iter_unpack(files.read("i"))) == [(1, 100), *again]
