"""The encode compiler on small invented messages: defaults, tags, ignorable, buffers."""

from __future__ import annotations

import pytest

from godel.errors import EncodeError
from godel.protocol import codec
from godel.protocol.message import Message, field, since, tagged, until
from godel.protocol.types import int32, int64, record_buffers, string, uuid
from godel.types import ZERO_ID


class Inner(Message):
    number: int32 = -1


class Sample(Message, versions=(0, 3), flexible_since=2):
    gone: int32 = until(1, default=7)
    gone_quietly: int32 = until(1, default=7, ignorable=True)
    new: string | None = since(1, default=None)
    switch: bool = since(1, default=True)
    identity: uuid = since(1)
    items: list[int32] = since(1)
    optional_items: list[int32] | None = since(1, default=None)
    first: int64 = tagged(0, since=2, default=5)
    second: Inner = tagged(1, since=2)
    third: list[Inner] = tagged(200, since=3)


def test_defaults_need_no_room() -> None:
    assert codec.encode(Sample(), 0).hex() == "00000007" * 2
    assert codec.encode(Sample(), 3).hex() == "00" + "01" + "00" * 16 + "01" + "00" + "00"


@pytest.mark.parametrize(
    ("message", "version", "name"),
    [
        (Sample(gone=1), 2, "gone"),
        (Sample(new=""), 0, "new"),
        (Sample(switch=False), 0, "switch"),
        (Sample(identity=b"x" * 16), 0, "identity"),
        (Sample(items=[1]), 0, "items"),
        (Sample(optional_items=[]), 0, "optional_items"),
        (Sample(first=1), 1, "first"),
        (Sample(second=Inner(1)), 1, "second"),
        (Sample(third=[Inner()]), 2, "third"),
    ],
)
def test_a_value_without_room_is_refused(message: Sample, version: int, name: str) -> None:
    with pytest.raises(EncodeError, match=rf"Sample\.{name} .* version {version}"):
        codec.encode(message, version)


def test_an_ignorable_value_without_room_is_dropped() -> None:
    assert codec.encode(Sample(gone_quietly=1), 2) == codec.encode(Sample(), 2)


def test_tags_are_written_in_ascending_order_and_only_when_set() -> None:
    bare = codec.encode(Sample(), 3)[:-1]
    assert codec.encode(Sample(second=Inner(-1), first=5), 3) == bare + b"\0"
    everything = Sample(first=6, second=Inner(2), third=[Inner(3)])
    tags = "03 00 08 0000000000000006 01 05 00000002 00 c801 06 02 00000003 00"
    assert codec.encode(everything, 3) == bare + bytes.fromhex(tags)
    assert codec.decode(Sample, codec.encode(everything, 3), 3) == everything


def test_default_structs_that_were_made_anew_are_still_defaults() -> None:
    assert codec.encode(Sample(second=Inner()), 3) == codec.encode(Sample(), 3)


class Nested(Message, versions=(0, 0), flexible_since=0):
    name: string = ""
    records: record_buffers | None = None
    after: list[string] = field()


def test_buffers_around_records() -> None:
    message = Nested("n", [b"12", bytearray(b"3")], ["a"])
    buffers = codec.encode_buffers(message, 0)
    assert [bytes(buffer) for buffer in buffers] == [b"\x02n\x04", b"12", b"3", b"\x02\x02a\0"]
    assert codec.decode(Nested, b"".join(buffers), 0) == Nested("n", memoryview(b"123"), ["a"])


def test_lengths_from_one_byte_to_two() -> None:
    for length in (125, 126, 127, 128, 16_382, 16_383):
        message = Nested("n" * length, b"r" * length, ["x"] * length)
        assert codec.decode(Nested, codec.encode(message, 0), 0) == message


def test_a_bug_elsewhere_is_not_blamed_on_a_field() -> None:
    class Broken(list[int]):
        def __iter__(self) -> object:
            raise TypeError("a bug of its own")

    with pytest.raises(TypeError, match="a bug of its own"):
        codec.encode(Sample(items=Broken(), identity=ZERO_ID), 1)
