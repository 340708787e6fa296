"""The time index: how far the timestamps had risen where (Kafka's `TimeIndex`, KIP-33).

    timestamp int64 | offset - base offset int32

The timestamp is the largest one so far, the offset the last one of the batch that brought it. An
entry is made together with one of the offset index if the timestamp has grown since, and once more
when the segment is closed, so both columns rise strictly. Timestamps in the log need not.
"""

from __future__ import annotations

import struct
from bisect import bisect_right

from godel.storage.sparse_index import SparseIndex


class TimeIndex(SparseIndex):
    __slots__ = ()

    ENTRY = struct.Struct(">qi")

    @property
    def last(self) -> tuple[int, int]:
        """The last entry; timestamp -1 when there is none."""
        return self.entry(len(self) - 1) if self._entries else (-1, 0)

    def append_if_later(self, timestamp_ms: int, relative_offset: int) -> None:
        last_timestamp_ms, last_offset = self.last
        if timestamp_ms > last_timestamp_ms and (
            relative_offset > last_offset or not self._entries
        ):
            self._entries += self.ENTRY.pack(timestamp_ms, relative_offset)

    def offset_for(self, timestamp_ms: int) -> int:
        """The relative offset before whose batch every timestamp is smaller; 0: unknown."""
        number = bisect_right(range(len(self)), timestamp_ms, key=self._timestamp)
        return self.entry(number - 1)[1] if number else 0

    def largest_up_to(self, relative_offset: int) -> tuple[int, int]:
        """The last entry for `relative_offset` or less; timestamp -1 when there is none."""
        number = self.count_up_to(relative_offset)
        return self.entry(number - 1) if number else (-1, 0)

    def count_up_to(self, relative_offset: int) -> int:
        """How many entries are for `relative_offset` or less."""
        return bisect_right(range(len(self)), relative_offset, key=self._offset)

    def _timestamp(self, number: int) -> int:
        return self.entry(number)[0]

    def _offset(self, number: int) -> int:
        return self.entry(number)[1]
