from __future__ import annotations

import pytest

from godel.errors import CorruptBatch
from godel.records.batch import parse_header
from godel.storage.batch_walk import (
    LARGEST_WALK_BYTES,
    WalkedBatch,
    walk,
    walk_headers,
    walk_whole,
)
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


def test_whole_batches_come_from_a_position_on_however_long_they_are() -> None:
    sizes = [10, LARGEST_WALK_BYTES + 1000, 0, *[9000] * 80]
    batches = [batch_of([b"x" * size], base_offset=at) for at, size in enumerate(sizes)]
    file = file_of(b"".join(batches))
    walked = list(walk_whole(file, len(batches[0])))
    assert [bytes(batch) for _, batch in walked] == batches[1:]
    assert [header for header, _ in walked] == [parse_header(batch) for batch in batches[1:]]


@pytest.mark.parametrize("missing", [1, 100])
def test_a_batch_that_is_not_whole_is_damage(missing: int) -> None:
    file = file_of(batch_of([b"x"]) + batch_of([b"y" * 50], base_offset=1)[:-missing])
    with pytest.raises(CorruptBatch):
        list(walk_whole(file, 0))
