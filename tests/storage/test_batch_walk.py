from __future__ import annotations

import pytest

from godel.errors import CorruptBatch
from godel.records.batch import parse_header
from godel.storage.batch_walk import WalkedBatch, walk, walk_headers
from godel.storage.files import File
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import NOW_MS, batch_of, put


def file_of(data: bytes) -> File:
    files = MemoryFiles()
    put(files, "x.log", data)
    return files.open("x.log")


def test_walking_shows_each_batch_and_may_end_before_the_file_does() -> None:
    first = batch_of([b"a", b"b"])
    second = batch_of([b"c"], timestamps=[NOW_MS + 5], base_offset=2)
    file = file_of(first + second)
    expected = [
        WalkedBatch(0, len(first), 0, 1, NOW_MS),
        WalkedBatch(len(first), len(second), 2, 2, NOW_MS + 5),
    ]
    assert list(walk(file)) == expected
    assert list(walk(file, len(first))) == expected[1:]
    assert list(walk(file, 0, len(first))) == expected[:1]


def test_whole_headers_come_with_their_positions() -> None:
    batches = [batch_of([b"x" * 9000], base_offset=number) for number in range(80)]
    file = file_of(b"".join(batches))
    walked = list(walk_headers(file))
    assert [position for position, _ in walked] == [
        number * len(batches[0]) for number in range(80)
    ]
    assert [header for _, header in walked] == [parse_header(batch) for batch in batches]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\0" * 100, "magic 0, length 0"),
        (batch_of([b"a"])[:-1], "magic 2"),
        (batch_of([b"a"])[:30], "ends inside a header"),
    ],
)
def test_what_is_not_a_batch_is_reported_with_its_place(data: bytes, problem: str) -> None:
    file = file_of(batch_of([b"whole"]) + data)
    position = len(batch_of([b"whole"]))
    with pytest.raises(CorruptBatch, match=rf"x\.log at {position}: .*{problem}"):
        list(walk(file))
