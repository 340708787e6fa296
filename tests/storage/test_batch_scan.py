from __future__ import annotations

import pytest

from godel.errors import CorruptBatch
from godel.records.batch import BatchHeader
from godel.storage.batch_scan import SCAN_BYTES, Scan, find_batch, scan
from tests.storage.harness import batch_of


def scanned(data: bytes, *, base_offset: int = 0) -> Scan:
    return scan(
        lambda position, size_bytes: data[position : position + size_bytes],
        lambda _position, _header: None,
        position=0,
        next_offset=base_offset,
        size_bytes=len(data),
        base_offset=base_offset,
    )


def batches(*offsets: int, size: int = 10) -> bytes:
    return b"".join(batch_of([b"x" * size], base_offset=offset) for offset in offsets)


def test_sound_batches_are_shown_one_by_one_however_long_they_are() -> None:
    data = batches(0, 1, 2, size=SCAN_BYTES) + batches(3, 4)
    seen: list[tuple[int, int]] = []

    def on_batch(position: int, header: BatchHeader) -> None:
        seen.append((position, header.base_offset))

    found = scan(
        lambda position, size_bytes: data[position : position + size_bytes],
        on_batch,
        position=0,
        next_offset=0,
        size_bytes=len(data),
        base_offset=0,
    )
    assert found == Scan(len(data), 5, None)
    one = len(batches(0, size=SCAN_BYTES))
    assert seen == [(0, 0), (one, 1), (2 * one, 2), (3 * one, 3), (3 * one + len(batches(3)), 4)]


def test_a_segment_ends_where_indexes_could_not_say_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = batches(0, 1, 2, 3)
    monkeypatch.setattr("godel.storage.layout.MAX_SEGMENT_BYTES", len(data) - 1)
    problem = f"a segment has at most {len(data) - 1} bytes, this one {len(data)}"
    assert scanned(data) == Scan(len(batches(0, 1, 2)), 3, problem)
    assert "bytes missing" in str(scanned(data[:-1]).problem)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (batches(0, 1)[:-1], "1 bytes missing"),
        (batches(0) + batches(1).replace(b"xxx", b"xyx"), "CRC of the batch at offset 1"),
        (batches(0, 0), "offset 0 comes again"),
        (batches(0, 1 << 31), "offsets up to"),
        (batches(0) + bytes(100), "magic 0"),
    ],
)
def test_at_the_first_wrong_batch_it_ends(data: bytes, problem: str) -> None:
    found = scanned(data)
    assert (found.position, found.next_offset) == (len(batches(0)), 1)
    assert problem in str(found.problem)


def test_of_a_batch_that_jumps_ahead_and_one_that_fits_before_it_the_first_is_wrong() -> None:
    assert scanned(batches(0, 9, 10)).problem is None
    assert scanned(batches(0, 9, 1)) == Scan(len(batches(0)), 1, "an offset jumps ahead")


def test_who_is_shown_a_batch_may_object() -> None:
    def object_to(_position: int, _header: BatchHeader) -> None:
        raise CorruptBatch("it makes no sense")

    data = batches(0)
    found = scan(
        lambda position, size_bytes: data[position : position + size_bytes],
        object_to,
        position=0,
        next_offset=0,
        size_bytes=len(data),
        base_offset=0,
    )
    assert found == Scan(0, 0, "it makes no sense")


def test_a_whole_batch_behind_damage_is_found() -> None:
    data = b"rubbish" + batches(7) + batches(8)
    assert find_batch(data, 1, 7) == 7
    assert find_batch(data[:-1], 8, 7) is None
    assert find_batch(bytes(200), 1, 7) is None
