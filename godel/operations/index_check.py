"""Whether a segment's index files agree with its batches, which are shown to it one by one.

An index is a cache, but one that is believed between a clean stop and the next: an entry that leads
astray makes a reader search, one that is missing in the time index makes retention wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from godel.operations.findings import Finding, problem
from godel.records.batch import BatchHeader
from godel.storage.offset_index import OffsetIndex
from godel.storage.time_index import TimeIndex

NO_TIMESTAMP = -1


class IndexCheck:
    """Of one segment. `see` each batch in order, then `finish`."""

    def __init__(self, base_offset: int, offset_index: OffsetIndex, time_index: TimeIndex) -> None:
        self._base_offset = base_offset
        self._offset_index = offset_index
        self._time_index = time_index
        self._next_place = 0
        self._next_time = 0
        self._largest_ms = NO_TIMESTAMP
        self._findings: list[Finding] = []

    def see(self, position: int, header: BatchHeader) -> None:
        self._largest_ms = max(self._largest_ms, header.max_timestamp)
        relative_offset = header.last_offset - self._base_offset
        self._see_place(position, relative_offset)
        self._see_time(header.base_offset - self._base_offset, relative_offset)

    def _see_place(self, position: int, relative_offset: int) -> None:
        index = self._offset_index
        while self._next_place < len(index):
            offset, place = index.entry(self._next_place)
            if place > position:
                break
            if (offset, place) != (relative_offset, position):
                self._findings.append(
                    problem(
                        index.file.path,
                        f"entry {self._next_place} says that a batch up to offset "
                        f"{self._base_offset + offset} is at {place}, which is not so",
                    )
                )
            self._next_place += 1

    def _see_time(self, first: int, last: int) -> None:
        index = self._time_index
        while self._next_time < len(index):
            timestamp_ms, offset = index.entry(self._next_time)
            if offset > last:
                break
            if offset < first or timestamp_ms != self._largest_ms:
                self._findings.append(
                    problem(
                        index.file.path,
                        f"entry {self._next_time} says that timestamps reach {timestamp_ms} at "
                        f"offset {self._base_offset + offset}, which is not so",
                    )
                )
            self._next_time += 1

    def finish(self, *, is_closed: bool) -> Iterator[Finding]:
        """`is_closed`: the segment was finished, so that its time index has its largest time."""
        yield from self._findings
        for index, seen in (
            (self._offset_index, self._next_place),
            (self._time_index, self._next_time),
        ):
            if seen < len(index):
                yield problem(index.file.path, f"{len(index) - seen} entries point behind the end")
            if not _rises([index.entry(number) for number in range(len(index))]):
                yield problem(index.file.path, "its entries do not rise")
        timestamp_ms = self._time_index.last[0]
        if is_closed and timestamp_ms != self._largest_ms:
            yield problem(
                self._time_index.file.path,
                f"it ends at timestamp {timestamp_ms}, the segment at {self._largest_ms}",
            )


def _rises(entries: list[tuple[int, int]]) -> bool:
    return all(first[0] < second[0] and first[1] < second[1] for first, second in pairwise(entries))
