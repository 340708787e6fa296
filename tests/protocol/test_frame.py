"""The envelope: headers by hand agree with the header classes, and nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.errors import DecodeError
from godel.protocol import codec, frame
from godel.protocol.messages.headers import RequestHeader, ResponseHeader

INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


def read_head(whole: memoryview, *, flexible: bool) -> tuple[int, int, int, str | None, int]:
    selector, correlation_id, length = frame.REQUEST_HEAD.unpack_from(whole)
    client, at = frame.client_id(whole, length)
    if flexible:
        at = frame.skip_tagged_fields(whole, at)
    return (*frame.selected(selector), correlation_id, client, at)


@given(INT16, INT16, INT32, st.none() | st.text(max_size=20), st.booleans())
def test_request_headers_agree_with_their_class(
    key: int, version: int, correlation_id: int, client: str | None, flexible: bool
) -> None:
    header = RequestHeader(key, version, correlation_id, client)
    encoded = codec.encode(header, 2 if flexible else 1)
    whole = frame.request_frame(
        key, version, b"body", correlation_id=correlation_id, client=client, flexible=flexible
    )
    assert whole == frame.SIZE.pack(len(encoded) + 4) + encoded + b"body"
    head = read_head(memoryview(whole)[4:], flexible=flexible)
    assert head == (key, version, correlation_id, client, len(encoded))


@given(INT32, st.binary(max_size=10), st.booleans())
def test_response_heads_agree_with_their_class(
    correlation_id: int, body: bytes, flexible: bool
) -> None:
    whole = bytearray(frame.blank_response_head(flexible=flexible)) + body
    frame.fill_response_head(whole, len(whole), correlation_id)
    expected = codec.encode(ResponseHeader(correlation_id), int(flexible)) + body
    assert whole == frame.SIZE.pack(len(expected)) + expected


@given(INT16, INT16)
def test_a_selector_is_the_first_four_bytes(key: int, version: int) -> None:
    number = frame.selector(key, version)
    assert frame.request_frame(key, version, b"")[4:8] == number.to_bytes(4, "big")
    assert frame.selected(number) == (key, version)


@pytest.mark.parametrize(
    ("tags", "size"),
    [(b"\0", 1), (b"\1\0\2ab", 5), (b"\2\0\0\5\1x", 6), (b"\1\x81\x01\0", 4)],
)
def test_tagged_fields_of_a_header_are_skipped(tags: bytes, size: int) -> None:
    assert frame.skip_tagged_fields(memoryview(b"??" + tags + b"body"), 2) == 2 + size


@pytest.mark.parametrize(
    "tags",
    [
        b"",
        b"\1",
        b"\1\0\5ab",
        b"\2\3\0\3\0",
        b"\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\x7f",
        b"\1\0\xff\xff\xff\xff\x0f",
    ],
)
def test_broken_tagged_fields_are_refused(tags: bytes) -> None:
    with pytest.raises(DecodeError):
        frame.skip_tagged_fields(memoryview(tags), 0)


@pytest.mark.parametrize(("length", "name"), [(-2, b""), (3, b"ab"), (2, b"\xff\xff")])
def test_broken_client_ids_are_refused(length: int, name: bytes) -> None:
    whole = frame.REQUEST_HEAD.pack(0, 0, length) + name
    with pytest.raises(DecodeError):
        frame.client_id(memoryview(whole), length)
