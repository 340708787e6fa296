"""Records as text."""

from __future__ import annotations

import json

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from godel.cli.record_text import formatter, json_line, of_object
from godel.records.batch import Record
from godel.types import TopicPartition

WHERE = TopicPartition("flights", 3)
RECORD = Record(7, 1_700_000_000_000, b"key", b"value", [("a", b"1"), ("b", None)])

SOME_BYTES = st.none() | st.binary(max_size=5)


@given(SOME_BYTES, SOME_BYTES, st.lists(st.tuples(st.text(max_size=3), SOME_BYTES), max_size=3))
def test_json_loses_nothing(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    record = RECORD._replace(key=key, value=value, headers=headers)
    read, partition = of_object(json.loads(json_line(WHERE, record)))
    assert partition == 3
    assert (read.key, read.value, list(read.headers)) == (key, value, headers)
    assert read.timestamp_ms == record.timestamp


def test_values_may_be_json_themselves() -> None:
    record, partition = of_object({"value": {"to": "MIA"}, "key": 5, "headers": {"h": "x"}})
    assert (record.key, record.value) == (b"5", b'{"to": "MIA"}')
    assert (list(record.headers), partition) == ([("h", b"x")], None)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ([], "no JSON object"),
        ({"val": 1}, "unknown key val"),
        ({"partition": "1"}, "partition is no number"),
        ({"headers": [1]}, "a header has no name"),
        ({"value_base64": 1}, "value_base64 is no text"),
        ({"value_base64": "?"}, "base64|padding"),
    ],
)
def test_mistakes_are_named(read: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of_object(read)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("%t-%p@%o", "flights-3@7"),
        ("%k(%K)=%v(%S)", "key(3)=value(5)"),
        (r"%T\t%d\n", "1700000000000\t2023-11-14T22:13:20.000Z\n"),
        ("%h %%", "a=1,b=NULL %"),
        (r"\\\0\x", "\\\0x"),
    ],
)
def test_formats(template: str, text: str) -> None:
    assert formatter(template)(WHERE, RECORD) == text.encode()


def test_nothing_has_the_size_of_nothing() -> None:
    assert formatter("%K %S")(WHERE, RECORD._replace(key=None, value=None)) == b"-1 -1"


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="%q means nothing"):
        formatter("%q")
