"""Reading segments for compaction. What is written: test_compaction.py."""

from __future__ import annotations

import pytest

from godel.errors import CorruptBatch
from godel.records.batch import parse_header
from godel.records.builder import build_batch
from godel.storage.memory_files import MemoryFiles
from godel.storage.segment_copy import READ_BYTES, read_batches
from tests.storage.harness import NOW_MS, put


def batches(*sizes: int) -> list[bytes]:
    return [build_batch([(b"k", b"x" * size)], timestamp_ms=NOW_MS) for size in sizes]


@pytest.mark.parametrize(
    "sizes", [(), (1,), (READ_BYTES * 2, 5), (100, READ_BYTES - 150, 100, READ_BYTES * 3, 7)]
)
def test_every_batch_comes_whole(sizes: tuple[int, ...]) -> None:
    files, wanted = MemoryFiles(), batches(*sizes)
    put(files, "x.log", b"".join(wanted) + b"behind the end")
    found = list(read_batches(files.open("x.log"), sum(map(len, wanted))))
    assert [bytes(batch) for _, batch in found] == wanted
    assert [header for header, _ in found] == [parse_header(one) for one in wanted]


@pytest.mark.parametrize("cut", [1, 70, 200])
def test_a_segment_that_ends_inside_a_batch_is_corrupt(cut: int) -> None:
    files, data = MemoryFiles(), b"".join(batches(100, 100))
    put(files, "x.log", data)
    with pytest.raises(CorruptBatch):
        list(read_batches(files.open("x.log"), len(data) - cut))
