"""The transaction index of a segment: what its markers have aborted (Kafka's `TransactionIndex`).

    version int16 = 0 | producer id int64 | first offset int64 | last offset int64 |
    last stable offset int64

An entry for each transaction whose ABORT marker lies in the segment, in the order of the markers;
the transaction may have begun in an earlier segment. It is written before its marker. Without a
file nothing was aborted. Entries are searched in the file, not kept in memory: readers of committed
records are few, and there may be millions.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator

from godel.records.transactions import AbortedTransaction
from godel.storage.files import File

VERSION = 0
ENTRIES_PER_READ = 64

_ENTRY = struct.Struct(">hqqqq")
ENTRY_SIZE = _ENTRY.size


class TransactionIndex:
    """Of one segment, which owns it and the file."""

    __slots__ = ("file", "is_checked")

    def __init__(self, file: File) -> None:
        self.file = file
        self.is_checked = False
        """Whether what an earlier run has written was found to be sound."""

    def __len__(self) -> int:
        return self.file.size // ENTRY_SIZE

    def append(self, aborted: AbortedTransaction) -> None:
        """Raises OSError."""
        self.file.append((_ENTRY.pack(VERSION, *aborted),), ENTRY_SIZE)

    def remove_last(self) -> None:
        """Take back what was appended last. Raises OSError."""
        self.file.truncate(self.file.size - ENTRY_SIZE)

    @property
    def end_offset(self) -> int:
        """Behind the last marker; 0: nothing was aborted. Raises OSError."""
        return self._last_offset(len(self) - 1) + 1 if len(self) else 0

    def entries(self, number: int = 0) -> Iterator[AbortedTransaction]:
        """From entry `number` on."""
        while number < len(self):
            data = self.file.pread(number * ENTRY_SIZE, ENTRIES_PER_READ * ENTRY_SIZE)
            for _, *fields in _ENTRY.iter_unpack(data[: len(data) // ENTRY_SIZE * ENTRY_SIZE]):
                yield AbortedTransaction(*fields)
            number += ENTRIES_PER_READ

    def find(self, offset: int) -> int:
        """The number of the first entry whose marker is at `offset` or later."""
        return bisect_left(range(len(self)), offset, key=self._last_offset)

    def _last_offset(self, number: int) -> int:
        return next(self.entries(number)).last_offset

    def keep_below(self, offset: int) -> None:
        """Forget the entries of markers at `offset` or later."""
        size_bytes = self.find(offset) * ENTRY_SIZE
        if size_bytes < self.file.size:
            self.file.truncate(size_bytes)

    def is_sound(self, base_offset: int, next_offset: int) -> bool:
        """Whether every entry can be one of a segment with these offsets. Reads all of it.

        Markers follow one another, what one says is decided stays decided, and no transaction
        begins before that. There is no checksum: a wrong producer or beginning may pass.
        """
        size_bytes = self.file.size
        if size_bytes % ENTRY_SIZE:
            return False
        data = self.file.pread(0, size_bytes) if size_bytes else b""
        end_offset, decided_offset = base_offset, 0
        for version, producer_id, first, last, last_stable in _ENTRY.iter_unpack(data):
            if (
                version != VERSION
                or producer_id < 0
                or not decided_offset <= first < last < next_offset
                or not decided_offset <= last_stable <= last + 1
                or last < end_offset
            ):
                return False
            end_offset, decided_offset = last + 1, last_stable
        return True
