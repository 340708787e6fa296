"""What the offset index and the time index share: a file of fixed-size, strictly rising entries.

The entries are kept in memory in the file's own format and searched there; new ones are written to
the file when their owner says so. An index is a cache: whatever is doubtful about it is rebuilt
from the log. Kafka preallocates its files, so zero bytes at the end are no entries.
"""

from __future__ import annotations

import struct

from godel.storage.files import File, Files

NOTHING_CERTAIN = -1
"""As a count of bytes written: the file may hold anything and is written from its beginning."""


class SparseIndex:
    """Entries of one index file. The segment that it belongs to owns it."""

    __slots__ = ("_entries", "_file", "_written_bytes")

    ENTRY: struct.Struct

    def __init__(self, files: Files, path: str, *, is_new: bool) -> None:
        """Read the file; `is_new` says that nothing is there yet, or nothing worth reading."""
        self._entries = bytearray()
        self._written_bytes = NOTHING_CERTAIN if is_new else 0
        self._file = files.open(path, 0 if is_new else None)
        if not is_new and self._file.size:
            self._entries += _whole_entries(self._file.pread(0, self._file.size), self.ENTRY.size)
            self._written_bytes = len(self._entries)

    def __len__(self) -> int:
        return len(self._entries) // self.ENTRY.size

    @property
    def size_bytes(self) -> int:
        return len(self._entries)

    def is_rising(self) -> bool:
        """Whether both columns rise strictly from entry to entry."""
        before_first, before_second = -1, -1
        for first, second in self.ENTRY.iter_unpack(self._entries):
            if first <= before_first or second <= before_second:
                return False
            before_first, before_second = first, second
        return True

    def entry(self, number: int) -> tuple[int, int]:
        first, second = self.ENTRY.unpack_from(self._entries, number * self.ENTRY.size)
        return first, second

    def keep(self, count: int) -> None:
        """Forget every entry from number `count` on."""
        del self._entries[count * self.ENTRY.size :]
        self._written_bytes = min(self._written_bytes, len(self._entries))

    def write(self) -> None:
        """Bring the file up to date (into the page cache; no safety hangs on an index)."""
        if self._file.size != self._written_bytes:
            self._judge_rest()
        if self._written_bytes < len(self._entries):
            tail = bytes(memoryview(self._entries)[self._written_bytes :])
            self._file.append((tail,), len(tail))
            self._written_bytes = len(self._entries)

    def _judge_rest(self) -> None:
        """Cut off what the file holds beyond what was written, unless it is what comes anyway.

        So it is after a crash, mostly; and to cut a file is slow.
        """
        written = max(self._written_bytes, 0)
        if self._written_bytes != NOTHING_CERTAIN and self._file.size > written:
            rest = self._file.pread(written, self._file.size - written)
            if self._entries.startswith(rest, written):
                self._written_bytes = self._file.size
                return
        if self._file.size < written:
            written = 0
        self._file.truncate(written)
        self._written_bytes = written

    @property
    def file(self) -> File:
        return self._file

    def close(self) -> None:
        self._file.close()


def _whole_entries(data: bytes, entry_size: int) -> bytes:
    length = len(data.rstrip(b"\0"))
    length += -length % entry_size
    return data[: min(length, len(data) // entry_size * entry_size)]
