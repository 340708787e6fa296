"""Messages to bytes and back, by functions compiled for one class and version on first use.

For code that handles one message now and then: `decode`, `encode`, `encode_buffers`. For the path
of every request: `decoder`, `prefix_decoder` and `encoder`, which hand out the compiled functions
to keep. `source` shows what was compiled.

A decoder raises `DecodeError` and nothing else, whatever the bytes. An encoder raises `EncodeError`
for a message that its version cannot carry. A version that a class does not have is a bug of the
caller: `ValueError`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

from godel.protocol.decoding import DecodeCompiler
from godel.protocol.encoding import EncodeCompiler
from godel.protocol.message import Message
from godel.types import Buffer, Piece, in_memory

M = TypeVar("M", bound=Message)

Decoder: TypeAlias = Callable[[Buffer, int], M]
"""(data, at) -> message. Reads from `at` to the end of `data`; bytes left over are an error."""

PrefixDecoder: TypeAlias = Callable[[Buffer, int], tuple[M, int]]
"""(data, at) -> message and the position after it: for headers."""

Encoder: TypeAlias = Callable[[M, bytearray], list[Piece]]
"""(message, out) -> buffers to write. Appends to `out`, which may hold a size and header already.

The list starts with `out` itself, and is just `[out]` unless the message has records: those stand
in the list as they were given, between further bytearrays. After an error throw `out` away.
So a whole frame is written in one pass: reserve size and header in `out`, encode, then fill in the
size, `sum(map(len, buffers)) - 4`.
"""


def is_flexible(cls: type[Message], version: int) -> bool:
    """Whether this version uses compact types and tag sections (KIP-482)."""
    return version >= cls.FLEXIBLE_SINCE


def decode(cls: type[M], data: Buffer, version: int) -> M:
    """The message that `data` holds, all of it."""
    return decoder(cls, version)(data, 0)


def encode(message: Message, version: int) -> bytes:
    """The message in one piece."""
    return b"".join(map(in_memory, encode_buffers(message, version)))


def encode_buffers(message: Message, version: int) -> list[Piece]:
    """The message in pieces: records are neither copied nor joined."""
    return encoder(type(message), version)(message, bytearray())


def decoder(cls: type[M], version: int) -> Decoder[M]:
    """The compiled decoder of a whole message."""
    return cast("Decoder[M]", _decoder(cls, version, whole=True))


def prefix_decoder(cls: type[M], version: int) -> PrefixDecoder[M]:
    """The compiled decoder of a message that something follows."""
    return cast("PrefixDecoder[M]", _decoder(cls, version, whole=False))


def encoder(cls: type[M], version: int) -> Encoder[M]:
    """The compiled encoder."""
    return cast("Encoder[M]", _encoder(cls, version))


def source(cls: type[Message], version: int) -> str:
    """The generated Python of the decoder and the encoder, to read."""
    decoding = _decode_compiler(cls, version).compile(whole=True)
    return f"{decoding}\n\n{_encode_compiler(cls, version).compile()}"


@functools.cache
def _decoder(cls: type[Message], version: int, *, whole: bool) -> Any:
    compiler = _decode_compiler(cls, version)
    return _function("decode", cls, version, compiler.compile(whole=whole), compiler.names)


@functools.cache
def _encoder(cls: type[Message], version: int) -> Any:
    compiler = _encode_compiler(cls, version)
    return _function("encode", cls, version, compiler.compile(), compiler.names)


def _decode_compiler(cls: type[Message], version: int) -> DecodeCompiler:
    return DecodeCompiler(cls, version, flexible=_checked_flexible(cls, version))


def _encode_compiler(cls: type[Message], version: int) -> EncodeCompiler:
    return EncodeCompiler(cls, version, flexible=_checked_flexible(cls, version))


def _checked_flexible(cls: type[Message], version: int) -> bool:
    first, last = getattr(cls, "VERSIONS", (0, -1))
    if not first <= version <= last:
        raise ValueError(f"{cls.__name__} has no version {version}")
    return is_flexible(cls, version)


def _function(
    name: str, cls: type[Message], version: int, text: str, names: dict[str, Any]
) -> Callable[..., Any]:
    """Compile generated source; tracebacks and profiles show it as `<decode FetchRequest v12>`."""
    exec(compile(text, f"<{name} {cls.__name__} v{version}>", "exec"), names)
    function: Callable[..., Any] = names[name]
    return function
