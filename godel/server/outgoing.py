"""Answers on their way to the transport, which takes what lies in files as there is room for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

from godel.types import Buffer, Piece, Unread

COALESCED_BYTES = 64 * 1024
"""Answers of one round are joined into one write up to this size; above, buffers go as they are."""

READ_BYTES = 2 * 1024 * 1024
"""So much of a file is read at once: it is in the processor's cache when it is sent, and few calls
are made (1 MiB costs a tenth more)."""


class Outgoing:
    """Of one connection, which says when the transport is full, and when no longer.

    The connection is told to pause and to resume as the transport would, so that others have a
    turn after each piece of a file, however fast the peer is and slow the disk.
    """

    __slots__ = ("_connection", "_held_bytes", "_transport", "_waiting", "is_full")

    def __init__(self, transport: asyncio.Transport, connection: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._connection = connection
        self._waiting: deque[Piece] = deque()
        """Empty, unless the transport is full or others have their turn."""
        self._held_bytes = 0
        self.is_full = False

    @property
    def is_sent(self) -> bool:
        """Whether the transport has everything."""
        return not self._waiting

    @property
    def held_bytes(self) -> int:
        """What is unsent and in memory."""
        return self._held_bytes + self._transport.get_write_buffer_size()

    @property
    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size() + sum(map(len, self._waiting))

    def write(self, pieces: list[Piece], size_bytes: int) -> None:
        """Send an answer behind those before it. Raises `StorageFailed`."""
        if size_bytes <= COALESCED_BYTES and not self._waiting:  # nothing unread is so short
            buffers = cast("list[Buffer]", pieces)
            self._transport.write(b"".join(buffers) if len(buffers) > 1 else buffers[0])
            return
        self._waiting += pieces
        self._held_bytes += sum(len(piece) for piece in pieces if not isinstance(piece, Unread))
        self.go_on()

    def go_on(self) -> None:
        """Hand on what has waited, until there is a pause. Raises `StorageFailed`."""
        while self._waiting and not self.is_full and not self._transport.is_closing():
            is_read = isinstance(self._waiting[0], Unread)
            self._write_all(self._next())
            if is_read and self._waiting and not self.is_full:
                self._connection.pause_writing()
                asyncio.get_running_loop().call_soon(self._connection.resume_writing)

    def _next(self) -> list[Buffer]:
        """What is in memory before the next file, or at most `READ_BYTES` of that."""
        waiting = self._waiting
        if isinstance(waiting[0], Unread):
            data = waiting[0].read(READ_BYTES)
            if not waiting[0]:
                waiting.popleft()
            return [data]
        found: list[Buffer] = []
        while waiting and not isinstance(piece := waiting[0], Unread):
            found.append(piece)
            self._held_bytes -= len(piece)
            waiting.popleft()
        return found

    def _write_all(self, buffers: Sequence[Buffer]) -> None:
        # Python 3.12's selector loop forgets its limits in `writelines`; `write` looks at them.
        *before, last = buffers
        if before:
            self._transport.writelines(before)
        self._transport.write(last)

    def forget(self) -> None:
        """The connection is over."""
        for piece in self._waiting:
            if isinstance(piece, Unread):
                piece.close()
        self._waiting.clear()
        self._held_bytes = 0
