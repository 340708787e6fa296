"""The segments of one log in the order of their offsets (Kafka's `LogSegments`).

    [base ... ) [base ... ) [base ... end)      the last one is active: it is appended to

Each but the last ends where the next begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from godel.records.partition_log import LogSlice
from godel.storage.segment import Segment

MAX_CLOSED_INDEXES = 4
"""So many closed segments of a log keep their indexes in memory."""


class Segments:
    """Of one `Log`, which owns this. There is always one segment at least."""

    __slots__ = ("_bases", "_segments", "active")

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        self._bases = [segment.base_offset for segment in segments]
        self.active = segments[-1]

    @property
    def all(self) -> Sequence[Segment]:
        """Oldest first. For reading."""
        return self._segments

    @property
    def bases(self) -> Sequence[int]:
        """Where each of them begins. For reading."""
        return self._bases

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    def number_of(self, offset: int) -> int:
        """Which of them an offset lies in."""
        return max(bisect_right(self._bases, offset) - 1, 0)

    # Changing

    def add(self, segment: Segment) -> None:
        """It is the active one from now on."""
        self._segments.append(segment)
        self._bases.append(segment.base_offset)
        self.active = segment

    def first_below(self, offset: int) -> Segment | None:
        """The first one if it lies wholly below an offset, and is not the active one."""
        is_below = len(self._segments) > 1 and self._bases[1] <= offset
        return self._segments[0] if is_below else None

    def remove_first(self) -> None:
        """It is not the active one."""
        del self._segments[0], self._bases[0]

    def replace(self, old: Sequence[Segment], new: Segment) -> None:
        """Let one take the place of some that follow one another."""
        first = self._segments.index(old[0])
        self._segments[first : first + len(old)] = [new]
        self._bases[first : first + len(old)] = [new.base_offset]

    def limit_indexes(self) -> None:
        """Let the oldest closed ones, which readers have passed, give their indexes back."""
        if len(self._segments) > MAX_CLOSED_INDEXES + 1:
            closed = islice(self._segments, len(self._segments) - 1)
            indexed = [segment for segment in closed if segment.indexes.are_loaded]
            for segment in indexed[:-MAX_CLOSED_INDEXES]:
                segment.indexes.forget()

    # Reading

    def read(
        self, offset: int, max_bytes: int, *, upper_bound: int, at_least_one: bool
    ) -> LogSlice | None:
        """Whole batches of one segment, the first that has any there; None: there are none.

        Raises OSError, `CorruptBatch`.
        """
        number = self.number_of(offset)
        while offset < upper_bound and number < len(self._segments):
            segment = self._segments[number]
            if segment.base_offset >= upper_bound:
                break
            if segment is not self.active and not segment.indexes.are_loaded:
                self.limit_indexes()
            found = segment.read(
                offset, max_bytes, upper_bound=upper_bound, at_least_one=at_least_one
            )
            if found is not None:
                return found
            number += 1
        return None

    def has_aborted(self, start: int) -> bool:
        """Whether one from the one with `start` on has an index of what was aborted."""
        number = self.number_of(start)
        return any(one.transactions is not None for one in islice(self._segments, number, None))
