"""Index entries against the batches of a segment."""

from __future__ import annotations

import struct

import pytest

from godel.operations.index_check import IndexCheck
from godel.records.batch import parse_header
from godel.storage.memory_files import MemoryFiles
from godel.storage.offset_index import OffsetIndex
from godel.storage.time_index import TimeIndex
from tests.storage.harness import batch_of, put

BATCH = batch_of([b"a", b"b"])
BASE = 100


def findings(places: list[tuple[int, int]], times: list[tuple[int, int]]) -> list[str]:
    """Of three batches of two records, with timestamps 10, 30, 20."""
    files = MemoryFiles()
    files.make_folder("f")
    put(files, "f/i", b"".join(struct.pack(">ii", *entry) for entry in places))
    put(files, "f/t", b"".join(struct.pack(">qi", *entry) for entry in times))
    check = IndexCheck(
        BASE, OffsetIndex(files, "f/i", is_new=False), TimeIndex(files, "f/t", is_new=False)
    )
    for number, timestamp_ms in enumerate((10, 30, 20)):
        header = parse_header(BATCH)._replace(
            base_offset=BASE + 2 * number, max_timestamp=timestamp_ms
        )
        check.see(number * len(BATCH), header)
    return [finding.what for finding in check.finish(is_closed=True)]


def test_entries_that_agree() -> None:
    assert findings([(3, len(BATCH))], [(10, 1), (30, 3)]) == []


@pytest.mark.parametrize(
    ("places", "times"),
    [
        ([(2, len(BATCH))], [(30, 3)]),
        ([(3, len(BATCH) + 1)], [(30, 3)]),
        ([(3, len(BATCH)), (9, 3 * len(BATCH))], [(30, 3)]),
        ([], [(11, 1), (30, 3)]),
        ([], [(30, 1)]),
        ([], [(10, 1)]),
        ([], [(10, 1), (30, 3), (40, 8)]),
        ([], [(30, 3), (30, 5)]),
        ([], []),
    ],
    ids=[
        *("offset", "position", "behind the end", "too late a time", "too early a place"),
        *("not the largest", "time behind the end", "not rising", "empty"),
    ],
)
def test_entries_that_lead_astray(
    places: list[tuple[int, int]], times: list[tuple[int, int]]
) -> None:
    assert findings(places, times)
