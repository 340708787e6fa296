"""Bytes in, frames out: the receiving half of a connection, without any I/O.

States: between frames (a few bytes of the next size may be kept), inside a frame, failed. However
the bytes are cut into chunks, the same frames come out. A frame that lies wholly in one chunk is a
view of the chunk; any other is collected in a buffer of its own.

The memory of an unfinished frame follows the bytes that have come, not the size that it claims, but
where one of a few spare buffers is free: those exist anyway, and need no clearing and no growing.
Once much of a frame is missing, `get_buffer` hands out the frame's own buffer, so that the socket
is read straight into it; otherwise the scratch buffer, which all connections of a loop may share.
"""

from __future__ import annotations

from godel.protocol.frame import SIZE, SIZE_BYTES, FrameSizeError
from godel.types import Buffer

DIRECT_BYTES = 32 * 1024
"""From this many missing bytes on, a frame is read straight into its own buffer."""

FIRST_BYTES = 64 * 1024
GROWTH = 4
"""A frame's buffer starts at this size at most and grows by this factor over what has come."""


SPARE_BYTES = 1024 * 1024 + FIRST_BYTES
"""Room for a request with one batch of the largest size that `message.max.bytes` has by default."""
SPARES_LIMIT = 4
HEAD_BYTES = 16 * 1024
"""After a large frame so much is read of the next one, the rest of which goes to its own buffer."""


class SpareBuffers:
    """Buffers for large frames, used again and again by the connections of one loop.

    Who stalls inside a large frame keeps one until it is dropped, so as many such clients as there
    are spare buffers take them all. The others are then served as if there were none: each large
    frame has memory of its own, which grows with what has come of it.
    """

    def __init__(self, limit: int = SPARES_LIMIT) -> None:
        self._free: list[bytearray] = []
        self._unmade = limit

    def take(self) -> bytearray | None:
        """One that nobody uses; None: all are in use."""
        if self._free:
            return self._free.pop()
        if not self._unmade:
            return None
        self._unmade -= 1
        return bytearray(SPARE_BYTES)

    def give_back(self, spare: bytearray) -> None:
        self._free.append(spare)


class FrameReader:
    """Cuts one connection's bytes into frames. Views it returns live until `release`."""

    __slots__ = (
        "_between",
        "_filled",
        "_is_spare",
        "_max_bytes",
        "_own",
        "_prefix",
        "_scratch",
        "_served",
        "_spares",
        "error",
        "unfinished_bytes",
    )

    def __init__(
        self,
        max_frame_bytes: int,
        scratch: memoryview | None = None,
        spares: SpareBuffers | None = None,
    ) -> None:
        self._max_bytes = max_frame_bytes
        self._spares = spares
        self._is_spare = False
        """Whether the unfinished frame has a spare buffer."""
        self._served: bytearray | None = None
        """The spare buffer of a frame that was returned: the next may have begun in another."""
        self._scratch = memoryview(b"") if scratch is None else scratch
        self._between = self._scratch
        """Where to read to while no frame has begun: after a large one, the next one's head."""
        self._prefix = b""
        self._own: bytearray | None = None
        self._filled = 0
        self.unfinished_bytes = 0
        """The whole size of the frame that has begun and not ended, else 0."""
        self.error: FrameSizeError | None = None
        """Set once a frame's size was refused; nothing is read any more."""

    def get_buffer(self) -> memoryview:
        """Where to read the next bytes of the socket to; never empty."""
        own = self._own
        if own is None:
            return self._between
        missing_bytes = self.unfinished_bytes - self._filled
        if missing_bytes < DIRECT_BYTES:
            is_large = self.unfinished_bytes > FIRST_BYTES
            return self._scratch[: missing_bytes + HEAD_BYTES] if is_large else self._scratch
        if self._filled == len(own):
            own = self._make_room(own, 1)
        return memoryview(own)[self._filled : self.unfinished_bytes]

    def buffer_updated(self, count: int) -> list[memoryview]:
        """The frames that `count` bytes, read into the result of `get_buffer`, have completed."""
        if self._own is None or self.unfinished_bytes - self._filled < DIRECT_BYTES:
            return self.receive_data(self._scratch[:count])
        self._filled += count
        return [self._finish()] if self._filled == self.unfinished_bytes else []

    def lends(self, frame: memoryview) -> bool:
        """Whether a frame lies in a buffer that is used again after `release`."""
        return frame.obj is self._scratch.obj or frame.obj is self._served

    def release(self) -> None:
        """The frames that were returned last are served or copied."""
        if self._served is not None:
            assert self._spares is not None
            self._spares.give_back(self._served)
            self._served = None

    def close(self) -> None:
        """Nothing more will come."""
        self.release()
        if self._is_spare:
            self._finish()
            self.release()

    def receive_data(self, chunk: Buffer) -> list[memoryview]:
        """The frames that `chunk` has completed."""
        frames: list[memoryview] = []
        if self.error is not None:
            return frames
        view = memoryview(chunk)
        at, end = 0, len(view)
        if self._own is not None:
            at = self._collect(self._own, view)
            if self._filled < self.unfinished_bytes:
                return frames
            frames.append(self._finish())
        elif self._prefix:
            at = SIZE_BYTES - len(self._prefix)
            self._prefix += view[:at]
            if len(self._prefix) < SIZE_BYTES:
                return frames
            size = SIZE.unpack(self._prefix)[0]
            self._prefix = b""
            if not self._accepts(size):
                return frames
            if end - at < size:
                self._begin(size, view[at:])
                return frames
            frames.append(view[at : at + size])
            at += size
        return self._cut(view, at, frames)

    def _cut(self, view: memoryview, at: int, frames: list[memoryview]) -> list[memoryview]:
        """Frames from `at`, where one begins, to the end of the chunk; keep what is left over."""
        end = len(view)
        max_bytes = self._max_bytes
        while end - at >= SIZE_BYTES:
            size = SIZE.unpack_from(view, at)[0]
            if not 0 <= size <= max_bytes:
                self.error = FrameSizeError(size, max_bytes)
                return frames
            at += SIZE_BYTES
            stop = at + size
            if stop > end:
                self._begin(size, view[at:])
                return frames
            frames.append(view[at:stop])
            self._between = self._scratch
            at = stop
        if at < end:
            self._prefix = bytes(view[at:])
        return frames

    def _accepts(self, size: int) -> bool:
        if 0 <= size <= self._max_bytes:
            return True
        self.error = FrameSizeError(size, self._max_bytes)
        return False

    def _begin(self, size: int, beginning: memoryview) -> None:
        self.unfinished_bytes = size
        self._filled = len(beginning)
        own: bytearray | None = None
        if self._spares is not None and FIRST_BYTES < size <= SPARE_BYTES:
            own = self._spares.take()
        self._is_spare = own is not None
        if own is None:
            own = bytearray(min(size, max(FIRST_BYTES, GROWTH * self._filled)))
        own[: self._filled] = beginning
        self._own = own

    def _collect(self, own: bytearray, view: memoryview) -> int:
        """Add the next bytes to the unfinished frame; how many of the chunk it took."""
        count = min(len(view), self.unfinished_bytes - self._filled)
        if self._filled + count > len(own):
            own = self._make_room(own, count)
        own[self._filled : self._filled + count] = view[:count]
        self._filled += count
        return count

    def _make_room(self, own: bytearray, count: int) -> bytearray:
        """A larger buffer with the same beginning: a view of the old one may still be held."""
        needed = self._filled + count
        larger = bytearray(min(self.unfinished_bytes, max(GROWTH * len(own), needed)))
        larger[: self._filled] = memoryview(own)[: self._filled]
        self._own = larger
        return larger

    def _finish(self) -> memoryview:
        own = self._own
        assert own is not None
        self.release()
        frame = memoryview(own)[: self.unfinished_bytes]
        if self._is_spare:
            self._served = own
            self._is_spare = False
        is_large = self.unfinished_bytes > FIRST_BYTES
        self._between = self._scratch[:HEAD_BYTES] if is_large else self._scratch
        self._own = None
        self.unfinished_bytes = self._filled = 0
        return frame
