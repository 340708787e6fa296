"""The decode compiler on small invented messages: what no spine API has, and its source."""

from __future__ import annotations

import pytest

from godel.errors import DecodeError
from godel.protocol import codec
from godel.protocol.decoding import minimum_size
from godel.protocol.message import Array, Message, field, since, tagged
from godel.protocol.types import (
    BYTES,
    INT64,
    STRING,
    bytes_,
    float64,
    int8,
    int16,
    int32,
    int64,
    string,
    uint16,
    uint32,
    uuid,
)
from godel.protocol.wire import SHORT_ARRAY


class Cursor(Message):
    """A nullable struct, as DescribeTopicPartitions will have."""

    topic: string = ""
    partition: int32 = 0


class Page(Message, versions=(0, 2), flexible_since=1):
    limit: int32 = 2000
    cursor: Cursor | None = None
    extra: Cursor | None = tagged(3, since=1, default=None)
    number: uint16 = since(2)


class Nothing(Message):
    pass


class Nothings(Message, versions=(0, 1), flexible_since=1):
    items: list[Nothing] = field()


class Everything(Message, versions=(0, 1), flexible_since=1):
    flag: bool = False
    tiny: int8 = 0
    small: int16 = 0
    port: uint16 = 0
    size: uint32 = 0
    ratio: float64 = 0.0
    raw: bytes_ | None = b""
    ids: list[uuid] = field()
    flags: list[bool] | None = field()
    blobs: list[bytes_] = field()
    longs: list[int64] = field()


FULL = Everything(
    True, -128, -32768, 65535, 2**32 - 1, 0.5, None, [b"i" * 16], [True, False], [b"b", b""], [-1]
)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("message", [FULL, Everything(flags=None, raw=b"r")])
def test_every_wire_type(message: Everything, version: int) -> None:
    assert codec.decode(Everything, codec.encode(message, version), version) == message


@pytest.mark.parametrize(
    ("version", "data", "page"),
    [
        (0, "000007d0 ff", Page()),
        (0, "00000001 01 0001 61 00000002", Page(1, Cursor("a", 2))),
        (1, "00000001 ff 00", Page(1)),
        (1, "00000001 01 02 61 00000002 00 00", Page(1, Cursor("a", 2))),
        (1, "00000001 ff 01 03 07 01 01 00000002 00", Page(1, None, Cursor("", 2))),
        (1, "00000001 ff 01 03 06 01 01 00000002 00", None),
        (2, "00000001 ff 0009 01 03 08 01 02 61 00000002 00", Page(1, None, Cursor("a", 2), 9)),
    ],
)
def test_nullable_structs(version: int, data: str, page: Page | None) -> None:
    if page is None:
        with pytest.raises(DecodeError):
            codec.decode(Page, bytes.fromhex(data), version)
        return
    assert codec.decode(Page, bytes.fromhex(data), version) == page
    assert codec.encode(page, version).hex() == data.replace(" ", "")


def test_elements_without_size_cannot_multiply() -> None:
    """Version 0 of `Nothing` is zero bytes: a count alone must not make a million objects."""
    with pytest.raises(DecodeError, match=r"Nothings\.items"):
        codec.decode(Nothings, b"\x00\x0f\x42\x40", 0)
    assert codec.decode(Nothings, b"\x04\0\0\0\0", 1) == Nothings([Nothing()] * 3)


def test_fixed_width_fields_in_a_row_are_one_read() -> None:
    text = codec.source(Everything, 1).split("def encode")[0]
    assert "read_tbhHIdB(data, p)" in text


@pytest.mark.parametrize("length", [0, 1, SHORT_ARRAY - 1, SHORT_ARRAY, 127, 128, 1000])
def test_arrays_of_numbers_of_any_length(length: int) -> None:
    message = Everything(flags=[True] * length, longs=list(range(-1, length - 1)))
    for version in (0, 1):
        assert codec.decode(Everything, codec.encode(message, version), version) == message


def test_minimum_size_is_what_the_smallest_value_takes() -> None:
    for cls in (Everything, Page, Nothings):
        for version, flexible in ((0, False), (1, True)):
            smallest = codec.encode(cls(), version)
            assert minimum_size(cls, version, flexible=flexible) == len(smallest)
    assert minimum_size(Array(INT64), 0, flexible=False) == 4
    assert minimum_size(Array(INT64), 0, flexible=True) == 1
    assert minimum_size(STRING, 0, flexible=False) == 2
    assert minimum_size(BYTES, 0, flexible=False) == 4


def test_an_error_says_what_and_where() -> None:
    with pytest.raises(DecodeError, match=r"^Page v1, near byte 5: "):
        codec.decode(Page, bytes(4) + b"\xff", 1)
