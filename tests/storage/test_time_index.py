from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from godel.storage.memory_files import MemoryFiles
from godel.storage.time_index import TimeIndex


def test_only_later_timestamps_are_noted() -> None:
    index = TimeIndex(MemoryFiles(), "t", is_new=True)
    assert index.last == (-1, 0)
    for timestamp_ms, offset in ((10, 0), (10, 3), (9, 4), (11, 0), (12, 5), (2**62, 6)):
        index.append_if_later(timestamp_ms, offset)
    entries = [index.entry(number) for number in range(len(index))]
    assert entries == [(10, 0), (12, 5), (2**62, 6)]
    assert index.is_rising()


@given(st.lists(st.integers(1, 1000), max_size=40), st.integers(-1, 1001), st.integers(0, 50))
def test_look_ups(timestamps: list[int], timestamp_ms: int, offset: int) -> None:
    files = MemoryFiles()
    index = TimeIndex(files, "t", is_new=True)
    for number, one in enumerate(timestamps):
        index.append_if_later(one, number)
    index.write()
    index = TimeIndex(files, "t", is_new=False)
    before = index.offset_for(timestamp_ms)
    assert all(one < timestamp_ms for one in timestamps[:before])
    largest = index.largest_up_to(offset)
    assert largest[0] == max(timestamps[: offset + 1], default=-1)
    assert index.count_up_to(offset) == len(set(maxima(timestamps[: offset + 1])))


def maxima(timestamps: list[int]) -> list[int]:
    return [max(timestamps[: number + 1]) for number in range(len(timestamps))]
