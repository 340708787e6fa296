"""Lines into records."""

from __future__ import annotations

import io
import os

import pytest

from godel.cli.exits import Refused
from godel.cli.record_input import LineFormat, lines, open_input
from godel.records.builder import NewRecord


async def read_all(raw: bytes) -> list[bytes]:
    return [line async for chunk in lines(io.BytesIO(raw)) for line in chunk]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"", []), (b"a", [b"a"]), (b"a\n", [b"a"]), (b"a\r\n\nb", [b"a", b"", b"b"])],
)
async def test_lines_end_as_they_like(raw: bytes, expected: list[bytes]) -> None:
    assert await read_all(raw) == expected


@pytest.mark.anyio
async def test_lines_longer_than_a_chunk_are_whole() -> None:
    long = b"x" * 600_000
    assert await read_all(long + b"\ny") == [long, b"y"]


@pytest.mark.anyio
async def test_a_pipe_is_read_as_it_fills() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        os.write(writing, b"a\nb")
        chunks = lines(stream)
        assert await anext(chunks) == [b"a"]
        os.write(writing, b"c\n")
        assert await anext(chunks) == [b"bc"]
        os.close(writing)
        assert [chunk async for chunk in chunks] == []


def test_a_line_may_have_a_key_before_it() -> None:
    form = LineFormat(key=b"default", key_separator=b"::", headers=[("h", b"1")], timestamp_ms=5)
    assert form.record(b"k::v::w", 1)[0] == NewRecord(b"k", b"v::w", [("h", b"1")], 5)
    assert form.record(b"no key", 2)[0].key == b"default"


def test_an_empty_value_may_mean_none() -> None:
    assert LineFormat(tombstone=True).record(b"", 1)[0].value is None
    assert LineFormat().record(b"", 1)[0].value == b""


def test_json_lines_say_where_they_are_wrong() -> None:
    with pytest.raises(Refused, match="line 7: "):
        LineFormat(json=True).record(b"{", 7)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(Refused, match=r"nowhere\.txt: No such file"):
        open_input("nowhere.txt")
