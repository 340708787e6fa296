from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from godel.storage.memory_files import MemoryFiles
from godel.storage.offset_index import OffsetIndex

RISES = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 5000)), max_size=40)


def index_of(rises: list[tuple[int, int]], files: MemoryFiles) -> OffsetIndex:
    index = OffsetIndex(files, "i", is_new=True)
    offset = position = 0
    for more_offset, more_position in rises:
        offset, position = offset + more_offset, position + more_position
        index.append(offset, position)
    return index


@given(RISES, st.integers(0, 3000), st.integers(0, 200_000))
def test_look_ups(rises: list[tuple[int, int]], offset: int, position: int) -> None:
    index = index_of(rises, MemoryFiles())
    entries = [index.entry(number) for number in range(len(index))]
    assert index.position_for(offset) == max((p for o, p in entries if o <= offset), default=0)
    assert index.count_up_to(offset) == sum(o <= offset for o, _ in entries)
    assert index.position_below(position) == max((p for _, p in entries if p < position), default=0)
    assert index.is_rising()


@given(RISES, RISES, st.integers(0, 100))
def test_what_is_written_is_read_again(
    first: list[tuple[int, int]], second: list[tuple[int, int]], zeros: int
) -> None:
    files = MemoryFiles()
    files.file_node("i", create=True).data += b"stale, from another life"
    index = index_of(first, files)
    index.write()
    assert len(files.read("i")) == 8 * len(first)
    offset, position = index.entry(len(index) - 1) if first else (0, 0)
    for more_offset, more_position in second:
        offset, position = offset + more_offset, position + more_position
        index.append(offset, position)
    index.write()
    files.file_node("i", create=True).data += bytes(zeros)
    again = OffsetIndex(files, "i", is_new=False)
    entries = list(struct.iter_unpack(">ii", files.read("i")[: 8 * (len(first) + len(second))]))
    assert [again.entry(number) for number in range(len(again))] == entries
    again.keep(len(first))
    again.append(offset + 1, position + 1)
    again.write()
    assert len(files.read("i")) == 8 * (len(first) + 1)


def test_entries_that_do_not_rise() -> None:
    index = index_of([(5, 5)], MemoryFiles())
    index.append(5, 9)
    assert not index.is_rising()
