"""The functions that compiled codecs call: varints, tag sections, sizes of records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.errors import DecodeError
from godel.protocol import wire

KNOWN = [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32 - 1, "ffffffff0f")]


@pytest.mark.parametrize(("value", "text"), KNOWN)
def test_known_varints(value: int, text: str) -> None:
    assert wire.varint(value).hex() == text


@given(st.integers(128, 2**32 - 1))
def test_varints_round_trip(value: int) -> None:
    data = wire.varint(value)
    assert wire.long_varint(data, 1, data[0]) == (value, len(data))


@pytest.mark.parametrize("text", ["8080808080", "ffffffff10", "ffffffffff", "ffffffff7f"])
def test_varints_of_more_than_32_bits(text: str) -> None:
    data = bytes.fromhex(text)
    with pytest.raises(DecodeError):
        wire.long_varint(data, 1, data[0])


def test_null_where_it_is_not_allowed() -> None:
    for read in (wire.required, wire.string_length):
        with pytest.raises(DecodeError, match="null"):
            read(b"\0", 1, 0)


def test_write_tags() -> None:
    out = bytearray()
    wire.write_tags(out, [(0, b"a"), (300, b"")])
    assert out.hex() == "02" + "000161" + "ac0200"
    assert wire.skip_tags(bytes(out), 1, 2, 10) == (len(out), 8)


def test_tags_count_against_the_budget_of_elements() -> None:
    with pytest.raises(DecodeError, match="too many"):
        wire.tag_count(b"", 0, 3, 2)


def test_measured() -> None:
    assert wire.measured(b"") == (0, [])
    assert wire.measured(b"ab") == (2, [b"ab"])
    assert wire.measured([b"ab", b"", memoryview(b"c")]) == (3, [b"ab", b"c"])
