"""Listener addresses, good and bad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.config.listener import Listener, parse_listener, parse_listeners
from godel.config.setting import InvalidValue


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("PLAINTEXT://127.0.0.1:9092", Listener("PLAINTEXT", "127.0.0.1", 9092)),
        ("localhost:0", Listener("PLAINTEXT", "localhost", 0)),
        ("PLAINTEXT://:9092", Listener("PLAINTEXT", "", 9092)),
        ("outside://[::1]:1", Listener("OUTSIDE", "::1", 1)),
    ],
)
def test_addresses(text: str, listener: Listener) -> None:
    assert parse_listener(text) == listener
    assert parse_listener(str(listener)) == listener


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "x:y", "PLAINTEXT://h:99999", "::1:9", "a b:1", "://h:1", "h:-1", "h:²"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_listener(text)


def test_wildcards() -> None:
    assert [parse_listener(text).is_wildcard for text in (":1", "0.0.0.0:1", "[::]:1", "h:1")] == [
        True,
        True,
        True,
        False,
    ]


def test_names_and_ports_differ() -> None:
    assert len(parse_listeners(("A://h:0", "B://h:0"))) == 2
    with pytest.raises(InvalidValue, match="name"):
        parse_listeners(("A://h:1", "a://h:2"))
    with pytest.raises(InvalidValue, match="port"):
        parse_listeners(("A://h:1", "B://h:1"))


@given(st.text())
def test_any_text_is_an_address_or_invalid(text: str) -> None:
    try:
        listener = parse_listener(text)
    except InvalidValue:
        return
    assert 0 <= listener.port <= 65535
