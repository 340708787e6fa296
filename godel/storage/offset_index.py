"""The offset index: where in the segment's file an offset is (Kafka's `OffsetIndex`).

    offset - base offset int32 | position int32

The offset is the last one of the batch that begins at the position. An entry is made for the first
batch after every `index.interval.bytes`, so both columns rise strictly.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right

from godel.storage.sparse_index import SparseIndex

MAX_RELATIVE_OFFSET = 2**31 - 1


class OffsetIndex(SparseIndex):
    __slots__ = ()

    ENTRY = struct.Struct(">ii")

    @property
    def last_position(self) -> int:
        return self.entry(len(self) - 1)[1] if self._entries else 0

    def append(self, relative_offset: int, position: int) -> None:
        self._entries += self.ENTRY.pack(relative_offset, position)

    def position_for(self, relative_offset: int) -> int:
        """Where to begin looking for an offset: no batch before this position contains it."""
        number = self.count_up_to(relative_offset)
        return self.entry(number - 1)[1] if number else 0

    def count_up_to(self, relative_offset: int) -> int:
        """How many entries are for `relative_offset` or less."""
        return bisect_right(range(len(self)), relative_offset, key=self._offset)

    def position_below(self, position: int) -> int:
        """The last known boundary of a batch below `position`; 0 when there is none."""
        number = bisect_left(range(len(self)), position, key=self._position)
        return self.entry(number - 1)[1] if number else 0

    def _offset(self, number: int) -> int:
        return self.entry(number)[0]

    def _position(self, number: int) -> int:
        return self.entry(number)[1]
