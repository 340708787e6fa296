"""The wire types a message's fields are annotated with.

To a type checker `int32` is `int` and `string` is `str`; the codec reads the `Primitive` beside
it. Names are those of Kafka's schemas; three bend to Python: `bytes_` (the builtin keeps its
name), `record_bytes` and `record_buffers` (a field called `records` could not be annotated with a
type of the same name). `bool` is the builtin.

Nullable is `| None`. An array is `list[...]`. A struct is its `Message` class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple, TypeAlias

from godel.types import ZERO_ID, Buffer, Piece


class Primitive(NamedTuple):
    """A wire type without parts. `format` is its `struct` code; variable-length types have none."""

    name: str
    format: str
    size: int
    zero: object
    """The value of a field that declares no default, and of one that was never written."""


BOOL = Primitive("bool", "?", 1, False)
INT8 = Primitive("int8", "b", 1, 0)
INT16 = Primitive("int16", "h", 2, 0)
UINT16 = Primitive("uint16", "H", 2, 0)
INT32 = Primitive("int32", "i", 4, 0)
UINT32 = Primitive("uint32", "I", 4, 0)
INT64 = Primitive("int64", "q", 8, 0)
FLOAT64 = Primitive("float64", "d", 8, 0.0)
UUID = Primitive("uuid", "16s", 16, ZERO_ID)
STRING = Primitive("string", "", 0, "")
BYTES = Primitive("bytes", "", 0, b"")
RECORDS = Primitive("records", "", 0, b"")

int8: TypeAlias = Annotated[int, INT8]
int16: TypeAlias = Annotated[int, INT16]
uint16: TypeAlias = Annotated[int, UINT16]
int32: TypeAlias = Annotated[int, INT32]
uint32: TypeAlias = Annotated[int, UINT32]
int64: TypeAlias = Annotated[int, INT64]
float64: TypeAlias = Annotated[float, FLOAT64]
uuid: TypeAlias = Annotated[bytes, UUID]
"""16 raw bytes; all zero means none."""
string: TypeAlias = Annotated[str, STRING]
bytes_: TypeAlias = Annotated[bytes, BYTES]
record_bytes: TypeAlias = Annotated[Buffer, RECORDS]
"""Record batches as received: decodes to a memoryview of the frame, nothing is copied."""
record_buffers: TypeAlias = Annotated[Buffer | Sequence[Piece], RECORDS]
"""Record batches to send: one buffer or several, written one after the other, never joined."""
