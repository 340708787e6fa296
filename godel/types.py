"""Small types that every layer speaks."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class Unread:
    """Many bytes of an answer, which are read when there is room to send them.

    Whoever holds it and does not read it to its end lets it go, or calls `close`.
    """

    __slots__ = ()

    def __len__(self) -> int:
        """How many are left."""
        raise NotImplementedError

    def read(self, most_bytes: int) -> Buffer:
        """The next bytes, at most so many. Raises `StorageFailed`."""
        raise NotImplementedError

    def close(self) -> None:
        """Nobody will read the rest."""
        raise NotImplementedError


Piece: TypeAlias = Buffer | Unread
"""A part of an answer."""


def in_memory(piece: Piece) -> Buffer:
    """All of it. Raises `StorageFailed`."""
    return piece.read(len(piece)) if isinstance(piece, Unread) else piece


TopicId: TypeAlias = bytes
"""A topic's id: 16 raw bytes as on the wire. `ZERO_ID` means none."""

ZERO_ID: TopicId = bytes(16)


class TopicPartition(NamedTuple):
    """A partition by name. As text `topic-partition`, the name of its folder."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"
