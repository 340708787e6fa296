"""How many bytes of answers the broker holds for peers that take them slowly.

Every connection has bounds of its own; this is the one for all of them together, because a hundred
readers that ask for 50 MB each and take nothing are within their own bounds. Above the limit those
go that have been behind for longest: an honest reader is behind for milliseconds.
"""

from __future__ import annotations

from typing import Protocol


class Behind(Protocol):
    """A connection that has unsent answers."""

    def drop(self, reason: str) -> None: ...


class UnsentAnswers:
    """Shared by all connections of a broker."""

    __slots__ = ("_limit_bytes", "_unsent", "_unsent_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._unsent: dict[Behind, int] = {}
        """In the order in which they fell behind."""
        self._unsent_bytes = 0

    @property
    def total_bytes(self) -> int:
        return self._unsent_bytes

    def set(self, connection: Behind, count: int) -> None:
        """Note that a connection is behind, by so many bytes."""
        self._unsent_bytes += count - self._unsent.get(connection, 0)
        self._unsent[connection] = count
        while self._unsent_bytes > self._limit_bytes:
            longest = next(iter(self._unsent))
            self.forget(longest)
            longest.drop("slow_reader")

    def forget(self, connection: Behind) -> None:
        """The connection has caught up, or is gone."""
        self._unsent_bytes -= self._unsent.pop(connection, 0)
