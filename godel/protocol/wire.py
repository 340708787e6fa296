"""What compiled codecs call when the one-byte case does not apply, and the limits they enforce.

Decoders take (data, at, first) where `first` is the varint's first byte, already read; `at` is
the position after it. They return the value and the position after the varint.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Sequence
from typing import Final

from godel.errors import DecodeError, EncodeError
from godel.types import Buffer, Piece

MAX_ELEMENTS: Final = 1_000_000
"""Array elements and tagged fields of one message, all its arrays and sections together."""
MAX_TAGS: Final = 10_000
"""Tagged fields of one section."""
MAX_STRING_BYTES: Final = 0x7FFF
SHORT_ARRAY: Final = 32
"""Arrays of numbers with fewer elements have a `struct` of their own, ready made."""

MALFORMED: Final = (DecodeError, struct.error, IndexError, ValueError, OverflowError)
"""What reading nonsense raises inside a compiled decoder (UnicodeDecodeError is a ValueError)."""
BUFFERS: Final = (bytes, bytearray, memoryview)
UNENCODABLE: Final = (struct.error, AttributeError, TypeError, ValueError, OverflowError)
"""What a wrong value raises inside a compiled encoder."""


@functools.cache
def short_arrays(code: str) -> list[struct.Struct]:
    """By length, for one `struct` code: formatting `>{n}i` and looking it up takes longer."""
    return [struct.Struct(f">{length}{code}") for length in range(SHORT_ARRAY)]


def long_varint(data: Buffer, at: int, first: int) -> tuple[int, int]:
    """The rest of an unsigned varint of more than one byte (at most five, 32 bits)."""
    value = first & 0x7F
    for shift in (7, 14, 21, 28):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFF_FFFF:
                break
            return value, at
    raise DecodeError("a varint of more than 32 bits")


def required(data: Buffer, at: int, first: int) -> tuple[int, int]:
    """Length + 1 of something that must not be null."""
    if first == 0:
        raise DecodeError("null where the field cannot be null")
    return long_varint(data, at, first)


def string_length(data: Buffer, at: int, first: int) -> tuple[int, int]:
    """Length + 1 of a string that must not be null."""
    if first == 0:
        raise DecodeError("null where the field cannot be null")
    return nullable_string_length(data, at, first)


def nullable_string_length(data: Buffer, at: int, first: int) -> tuple[int, int]:
    value, at = long_varint(data, at, first)
    if value > MAX_STRING_BYTES + 1:
        raise DecodeError(f"a string of {value - 1} bytes, at most {MAX_STRING_BYTES} are allowed")
    return value, at


def tag_count(data: Buffer, at: int, first: int, left: int) -> tuple[int, int, int]:
    """How many tagged fields follow; `left` is what remains of the message's element budget."""
    count = first
    if first > 0x7F:
        count, at = long_varint(data, at, first)
    left -= count
    if count > MAX_TAGS or left < 0:
        raise DecodeError(f"{count} tagged fields are too many")
    return count, at, left


def tag_head(data: Buffer, at: int, last_tag: int) -> tuple[int, int, int]:
    """Tag, end of its value and start of its value.

    Tags ascend, hence none comes twice. Kafka writes them so (KIP-482) but does not check.
    """
    tag = data[at]
    at += 1
    if tag > 0x7F:
        tag, at = long_varint(data, at, tag)
    if tag <= last_tag:
        raise DecodeError(f"tag {tag} after tag {last_tag}")
    size = data[at]
    at += 1
    if size > 0x7F:
        size, at = long_varint(data, at, size)
    return tag, at + size, at


def skip_tags(data: Buffer, at: int, first: int, left: int) -> tuple[int, int]:
    """Pass over a section of which this version knows no tag. Returns position and budget."""
    count, at, left = tag_count(data, at, first, left)
    tag = -1
    for _ in range(count):
        tag, at, _ = tag_head(data, at, tag)
    return at, left


def too_many(name: str, count: int, remaining: int) -> DecodeError:
    return DecodeError(f"{count} elements of {name} are too many, {remaining} bytes are left")


def malformed(name: str, version: int, at: int, cause: Exception) -> DecodeError:
    return DecodeError(f"{name} v{version}, near byte {at}: {cause or type(cause).__name__}")


def varint(value: int) -> bytes:
    """An unsigned varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string_varint(value: int) -> bytes:
    """Length + 1 of a string."""
    if value > MAX_STRING_BYTES + 1:
        raise ValueError(f"a string of {value - 1} bytes, at most {MAX_STRING_BYTES} are allowed")
    return varint(value)


def write_tags(out: bytearray, values: Sequence[tuple[int, Buffer]]) -> None:
    """The tag section of a struct; `values` ascend by tag."""
    out += varint(len(values))
    for tag, value in values:
        out += varint(tag)
        out += varint(len(value))
        out += value


def measured(records: Buffer | Iterable[Piece]) -> tuple[int, list[Piece]]:
    """Size in bytes of the records to send, and the buffers that hold them."""
    if isinstance(records, BUFFERS):
        return len(records), [records] if records else []
    buffers = [buffer for buffer in records if buffer]
    return sum(map(len, buffers)), buffers


def unsupported(name: str, version: int) -> EncodeError:
    return EncodeError(f"{name} has a value that version {version} cannot carry")
