"""Bytes that lie: only DecodeError comes out, soon, and no memory is made for what is not there."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from godel.errors import DecodeError
from godel.protocol import codec
from godel.protocol.message import Message
from godel.protocol.messages.api_versions import ApiVersionsRequest
from godel.protocol.messages.fetch import FetchRequest
from godel.protocol.messages.headers import RequestHeader
from godel.protocol.messages.list_groups import ListGroupsRequest
from godel.protocol.messages.metadata import MetadataRequest
from godel.protocol.messages.offset_commit import OffsetCommitRequest
from godel.protocol.messages.offset_fetch import OffsetFetchRequest
from godel.protocol.messages.produce import ProduceRequest
from godel.protocol.wire import varint
from tests.protocol.catalogue import EACH_ROOT, all_versions, at_version
from tests.protocol.strategies import messages


def decode_or_refuse(cls: type[Message], data: bytes, version: int) -> Message | None:
    try:
        return codec.decode(cls, data, version)
    except DecodeError:
        return None


@EACH_ROOT
@settings(max_examples=10)
@given(data=st.binary(max_size=60))
def test_garbage(cls: type[Message], data: bytes) -> None:
    for version in all_versions(cls):
        decode_or_refuse(cls, data, version)
        decode_or_refuse(cls, b"\0" * len(data) + data, version)


@EACH_ROOT
@settings(max_examples=4)
@given(data=st.data())
def test_mutations(cls: type[Message], data: st.DataObject) -> None:
    """Changed, cut and lengthened messages; what is accepted must be writable again."""
    source = random.Random(data.draw(st.integers(0, 1 << 32)))
    message = data.draw(messages(cls))
    version = data.draw(st.integers(*cls.VERSIONS))
    encoded = codec.encode(at_version(message, version), version)
    for _ in range(20):
        mutated = bytearray(encoded)
        for _ in range(source.randint(1, 3)):
            at = source.randrange(len(mutated) + 1)
            match source.randrange(3):
                case 0:
                    mutated[at:] = b""
                case 1:
                    mutated[at:at] = source.choice([b"\xff", b"\0", b"\x80", b"\xff" * 5])
                case _:
                    mutated[at : at + 1] = bytes([source.randrange(256)])
        accepted = decode_or_refuse(cls, bytes(mutated), version)
        if accepted is not None:
            codec.encode(accepted, version)


def refusal(decode: Callable[[bytes, int], object], data: bytes, at: int = 0) -> str:
    """In what words the bytes are refused; "" when they are taken."""
    try:
        decode(data, at)
    except DecodeError as error:
        return str(error)
    return ""


@EACH_ROOT
def test_every_cut_and_every_byte_too_many_is_refused(cls: type[Message]) -> None:
    taken = []
    for version in all_versions(cls):
        encoded = codec.encode(at_version(cls(), version), version)
        whole, prefix = codec.decoder(cls, version), codec.prefix_decoder(cls, version)
        for length in range(len(encoded)):
            cut = encoded[:length]
            if cls.__name__ not in refusal(whole, cut) or not refusal(prefix, cut):
                taken.append((version, length))
        if "remain" not in refusal(whole, encoded + b"\0"):
            taken.append((version, len(encoded) + 1))
        assert refusal(whole, encoded, len(encoded) + 1), f"version {version}, read past its end"
    assert not taken, f"versions, and how many bytes of the message were there: {taken}"


# --- lengths that the bytes do not bear out --------------------------------------------------

HUGE = [
    (MetadataRequest, 1, "7fffffff"),
    (MetadataRequest, 1, "000f4241"),
    (MetadataRequest, 0, "ffffffff"),  # null where it is not allowed
    (MetadataRequest, 9, "ffffffff0f"),
    (MetadataRequest, 9, "ffffffffff01"),  # a varint of six bytes
    (MetadataRequest, 9, "ffffffff7f"),  # 35 bits
    (MetadataRequest, 9, "c2843d"),  # 1,000,001 elements
    (ProduceRequest, 3, "7fff"),  # transactional id
    (ProduceRequest, 3, "ffff0001000000007fffffff"),
    (ProduceRequest, 3, "ffff 0001 00000000 00000001 0001 61 00000001 00000000 7fffffff"),
    (ProduceRequest, 9, "00 0001 00000000 02 02 61 02 00000000 ffffffff0f"),
    (FetchRequest, 12, "ffffffff 00000000 00000000 00000000 00 00000000 00000000 ffffffff0f"),
    (OffsetCommitRequest, 8, "ffffffff0f"),
    (RequestHeader, 2, "0012 0003 00000007 7fff"),
]


@pytest.mark.parametrize(("cls", "version", "claim"), HUGE)
@pytest.mark.parametrize("padding", [0, 100])
def test_hostile_lengths(cls: type[Message], version: int, claim: str, padding: int) -> None:
    codec.decoder(cls, version)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            codec.decode(cls, bytes.fromhex(claim) + bytes(padding), version)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def peak_of_refusing(cls: type[Message], data: bytes, version: int) -> int:
    codec.decoder(cls, version)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            codec.decode(cls, data, version)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_array_is_refused_before_anything_is_made_for_it() -> None:
    """A frame large enough for the least elements, but more of them than we take."""
    frame = struct.pack(">i", 1_000_001) + bytes(2 * 1_000_001)
    assert peak_of_refusing(MetadataRequest, frame, 1) < 100_000
    frame = struct.pack(">i", 1_000_000) + bytes(2 * 1_000_000 - 1)
    assert peak_of_refusing(MetadataRequest, frame, 1) < 100_000


def test_the_element_limit_holds_for_all_arrays_together() -> None:
    """Otherwise 100 MB of nested arrays would become gigabytes of objects."""
    topic = struct.pack(">hi", 0, 600_000) + bytes(4 * 600_000)
    frame = struct.pack(">hi", 0, 2) + topic + topic
    with pytest.raises(DecodeError, match="too many"):
        codec.decode(OffsetFetchRequest, frame, 1)
    frame = struct.pack(">hi", 0, 1) + topic
    assert len(codec.decode(OffsetFetchRequest, frame, 1).topics[0].partition_indexes) == 600_000


# --- tag sections ----------------------------------------------------------------------------


def tagged(*fields: tuple[int, bytes]) -> bytes:
    return varint(len(fields)) + b"".join(
        varint(tag) + varint(len(value)) + value for tag, value in fields
    )


def with_tags(section: bytes) -> bytes:
    return b"\x02a\x021" + section


def test_unknown_tags_are_skipped() -> None:
    expected = ApiVersionsRequest("a", "1")
    for fields in ([(0, b"")], [(0, b"x"), (1, b"y" * 200), (1 << 31, b"z")]):
        assert codec.decode(ApiVersionsRequest, with_tags(tagged(*fields)), 3) == expected


HOSTILE_SECTIONS: dict[str, Any] = {
    "repeated": tagged((3, b""), (3, b"")),
    "descending": tagged((4, b""), (3, b"")),
    "more than there are": b"\x02\x00\x00",
    "longer than the frame": b"\x01\x00\x7f",
    "far longer than the frame": b"\x01\x00\xff\xff\xff\xff\x0f",
    "too many": varint(10_001) + b"".join(varint(tag) + b"\0" for tag in range(10_001)),
    "absurdly many": b"\xff\xff\xff\xff\x0f",
    "a tag of more than 32 bits": b"\x01\xff\xff\xff\xff\x7f\x00",
}


@pytest.mark.parametrize("section", HOSTILE_SECTIONS.values(), ids=HOSTILE_SECTIONS)
def test_hostile_tag_sections(section: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode(ApiVersionsRequest, with_tags(section), 3)


def test_ten_thousand_tags_are_accepted() -> None:
    section = tagged(*((tag, b"") for tag in range(10_000)))
    assert codec.decode(ApiVersionsRequest, with_tags(section), 3) == ApiVersionsRequest("a", "1")


@pytest.mark.parametrize(
    "section",
    [
        tagged((1, bytes(12) + b"\0" + b"\0")),  # a byte more than the struct
        tagged((1, bytes(12))),  # a byte less
        tagged((0, b"\x02a"), (0, b"\x02a")),
        tagged((0, b"\x05a")),  # a string longer than its tag
        tagged((1, bytes(12) + b"\0"), (0, b"\x02a")),
    ],
)
def test_known_tags_must_be_as_long_as_they_say(section: bytes) -> None:
    encoded = codec.encode(FetchRequest(), 17)
    assert encoded.endswith(b"\0")
    with pytest.raises(DecodeError):
        codec.decode(FetchRequest, encoded[:-1] + section, 17)


# --- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ff", "c080", "eda080", "e28c"])
def test_text_that_is_not_utf_8(text: str) -> None:
    raw = bytes.fromhex(text)
    with pytest.raises(DecodeError):
        codec.decode(ListGroupsRequest, b"\x02" + varint(len(raw) + 1) + raw + b"\0", 4)
