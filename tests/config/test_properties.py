"""The syntax of Java's properties files, by example and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.config.properties import InvalidProperties, Property, parse_properties


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a=b", [("a", "b", 1)]),
        ("  a  =  b  ", [("a", "b  ", 1)]),
        ("a:b\nc d\ne", [("a", "b", 1), ("c", "d", 2), ("e", "", 3)]),
        ("# no\n! no\n\n   # no\na=1", [("a", "1", 5)]),
        ("a=#1", [("a", "#1", 1)]),
        ("a=b=c", [("a", "b=c", 1)]),
        ("a==b", [("a", "=b", 1)]),
        ("a = : b", [("a", ": b", 1)]),
        ("a=1,\\\n    2,\\\r\n  3\nb=4", [("a", "1,2,3", 1), ("b", "4", 4)]),
        ("a=x\\\\\nb=1", [("a", "x\\", 1), ("b", "1", 2)]),
        ("a=x\\\n# y", [("a", "x# y", 1)]),
        ("a\\=b\\ c\\:d=e", [("a=b c:d", "e", 1)]),
        ("a=\\u0041\\t\\n\\q", [("a", "A\t\nq", 1)]),
        ("a=x\\", [("a", "x", 1)]),
        ("a=1\ra=2", [("a", "1", 1), ("a", "2", 2)]),
        ("=x", [("", "x", 1)]),
        ("a=\\", [("a", "", 1)]),
        ("", []),
    ],
)
def test_the_syntax(text: str, entries: list[tuple[str, str, int]]) -> None:
    assert parse_properties(text) == [Property(*entry) for entry in entries]


@pytest.mark.parametrize("text", ["a=\\u12", "a=\\uxyzw", "x\ny=1\n\\u+123=3"])
def test_a_broken_escape_has_its_line(text: str) -> None:
    with pytest.raises(InvalidProperties, match=r"line \d"):
        parse_properties(text)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


plain = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(plain.filter(bool), plain), max_size=5))
def test_what_is_escaped_comes_back(pairs: list[tuple[str, str]]) -> None:
    text = "\n".join(f"{escaped(key)}={escaped(value)}" for key, value in pairs)
    assert [(entry.key, entry.value) for entry in parse_properties(text)] == pairs


@given(st.text(alphabet="ab=:# \\\n\r\tu0!"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        entries = parse_properties(text)
    except InvalidProperties:
        return
    lines = [entry.line for entry in entries]
    assert lines == sorted(set(lines))
