"""What of a file an answer carries, read only when there is room to send it.

A long answer that is read piece by piece as its reader takes it is in the processor's cache when it
is sent, and holds no memory meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from godel.errors import StorageFailed
from godel.records.partition_log import LogSlice
from godel.storage.durability import Durability
from godel.storage.files import File
from godel.types import Buffer, Unread, in_memory


class UnreadRange(Unread):
    """A range of a file, whose descriptor it keeps until the end: the file may be removed."""

    __slots__ = ("_end", "_file", "_position", "on_failure")

    def __init__(self, file: File, position: int, size_bytes: int) -> None:
        file.pin()
        self._file: File | None = file
        self._position = position
        self._end = position + size_bytes
        self.on_failure: Callable[[OSError], object] | None = None
        """Hears what the disk refused."""

    def __len__(self) -> int:
        return self._end - self._position

    def read(self, most_bytes: int) -> Buffer:
        wanted = min(most_bytes, len(self))
        if self._file is None or not wanted:
            return b""
        try:
            data = self._file.pread(self._position, wanted)
        except OSError as failure:
            if self.on_failure is not None:
                self.on_failure(failure)
            raise StorageFailed(f"{self._file.path}: read failed: {failure}") from failure
        if len(data) < wanted:
            raise StorageFailed(f"{self._file.path}: ends before {self._end}")
        self._position += wanted
        self._file.will_need(self._position, most_bytes)
        if self._position == self._end:
            self.close()
        return data

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.unpin()

    def __del__(self) -> None:
        self.close()


def answerable(found: LogSlice, durability: Durability) -> LogSlice:
    """What was found in a log, as it may be answered with. Raises `StorageFailed`.

    Once the disk has failed in the middle of an answer, all is read before the next one begins: it
    can tell of the failure, and carries what other partitions have.
    """
    for piece in found.pieces:
        if isinstance(piece, UnreadRange):
            piece.on_failure = durability.tell_late
    if durability.fails_late:
        return found._replace(pieces=[in_memory(piece) for piece in found.pieces])
    return found
