"""The envelope of requests and responses: size, header, body.

    request   size int32 | api key int16, version int16, correlation id int32, client id
              (int16 length, -1 null) | tagged fields, when the version is flexible | body
    response  size int32 | correlation id int32 | tagged fields, when flexible | body

The headers are read and written by hand here, not through their message classes, because every
request pays for it. The client id keeps its int16 length in flexible versions (KIP-482).
"""

from __future__ import annotations

import struct

from godel.errors import DecodeError
from godel.types import Buffer

SIZE = struct.Struct(">i")
SIZE_BYTES = SIZE.size

REQUEST_HEAD = struct.Struct(">Iih")
"""Selector (see `selector`), correlation id, length of the client id."""

RESPONSE_HEAD = struct.Struct(">ii")
"""Size and correlation id; in flexible versions an empty tag section follows."""

MAX_TAGGED_FIELDS = 10_000


class FrameSizeError(DecodeError):
    """A frame whose size is negative or above the limit."""

    def __init__(self, size_bytes: int, max_bytes: int) -> None:
        super().__init__(f"frame of {size_bytes} bytes, at most {max_bytes} are accepted")
        self.size_bytes = size_bytes


def selector(api_key: int, version: int) -> int:
    """Key and version as the one number that the first four bytes of a request make."""
    return (api_key & 0xFFFF) << 16 | version & 0xFFFF


def selected(number: int) -> tuple[int, int]:
    """Key and version of a selector, signed as on the wire."""
    key, version = number >> 16, number & 0xFFFF
    return key - ((key & 0x8000) << 1), version - ((version & 0x8000) << 1)


def client_id(frame: memoryview, length: int) -> tuple[str | None, int]:
    """The client id of `length` bytes that follows the head, and where it ends."""
    start = REQUEST_HEAD.size
    if length < 0:
        if length != -1:
            raise DecodeError(f"client id of {length} bytes")
        return None, start
    end = start + length
    if end > len(frame):
        raise DecodeError("client id runs past the end of the frame")
    try:
        return str(frame[start:end], "utf-8"), end
    except UnicodeDecodeError as error:
        raise DecodeError("client id is not UTF-8") from error


def skip_tagged_fields(frame: memoryview, at: int) -> int:
    """Where the tagged fields that start at `at` end. None is known to us in headers."""
    count, at = _varint(frame, at)
    if count > MAX_TAGGED_FIELDS:
        raise DecodeError(f"{count} tagged fields in a header")
    previous = -1
    for _ in range(count):
        tag, at = _varint(frame, at)
        if tag <= previous:
            raise DecodeError("tags of a header are not in ascending order")
        previous = tag
        size, at = _varint(frame, at)
        at += size
        if at > len(frame):
            raise DecodeError("tagged field runs past the end of the frame")
    return at


def _varint(frame: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(frame):
            raise DecodeError("frame ends inside a header")
        byte = frame[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise DecodeError("varint longer than five bytes in a header")


def blank_response_head(*, flexible: bool) -> bytes:
    """Room for everything of a response in front of its body, to be filled in at the end."""
    return bytes(RESPONSE_HEAD.size + flexible)


def fill_response_head(head: bytearray, frame_bytes: int, correlation_id: int) -> None:
    """Complete the head that `head` begins with; `frame_bytes` is the whole, size included."""
    RESPONSE_HEAD.pack_into(head, 0, frame_bytes - SIZE_BYTES, correlation_id)


def request_frame(
    api_key: int,
    version: int,
    body: Buffer,
    *,
    correlation_id: int = 0,
    client: str | None = None,
    flexible: bool = False,
) -> bytes:
    """A whole request as a client writes it: for tests, benchmarks and our own tools."""
    name = b"" if client is None else client.encode()
    length = -1 if client is None else len(name)
    head = REQUEST_HEAD.pack(selector(api_key, version), correlation_id, length)
    parts = head + name + (b"\0" if flexible else b"") + body
    return SIZE.pack(len(parts)) + parts
