"""Reading segments for compaction. What is written: test_compaction.py."""

from __future__ import annotations

import pytest

from godel.errors import CorruptBatch
from godel.records.batch import parse_header
from godel.records.builder import build_batch
from godel.storage.compaction import RECORDS_PER_TURN, Round, Source
from godel.storage.memory_files import MemoryFiles
from godel.storage.segment_copy import READ_BYTES, fill_keys, read_batches, write_copy
from tests.storage.compaction_harness import COMPACTED
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


def test_a_large_batch_takes_many_turns_to_read_and_to_copy() -> None:
    files, turns = MemoryFiles(), 10
    records = [(b"k%d" % (n % 3), b"") for n in range(turns * RECORDS_PER_TURN)]
    data = build_batch(records, timestamp_ms=NOW_MS)
    files.make_folder("t-0")
    put(files, "t-0/00000000000000000000.log", data)
    source = Source(0, len(records), len(data), 0, 0)
    this_round = Round.begin(
        0, memory_bytes=1 << 20, now_ms=NOW_MS, config=COMPACTED, producers=(), aborted=()
    )
    assert len(list(fill_keys(files, "t-0", [source], this_round))) >= turns
    copying = write_copy(files, "t-0", [source], this_round=this_round, config=COMPACTED)
    assert len(list(copying)) >= turns
