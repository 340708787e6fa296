from __future__ import annotations

import pytest

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
