"""Java's properties files, as `java.util.Properties.load` reads them, with line numbers.

`key=value`, `key: value` or `key value`; `#` and `!` begin comments; a line that ends in an odd
number of backslashes goes on in the next one, whose leading blanks are dropped; `\\t \\n \\r \\f`
and `\\uXXXX` are escapes, any other escaped character stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

BLANKS = " \t\f"
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class Property(NamedTuple):
    """One entry; `line` is where it begins, counted from 1."""

    key: str
    value: str
    line: int


class InvalidProperties(Exception):
    """Text that is not a properties file: a broken escape."""


def parse_properties(text: str) -> list[Property]:
    """Every entry in order, repeated keys included. Raises `InvalidProperties`."""
    return [_entry(joined, line) for line, joined in _logical_lines(text)]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that go on joined, comments and empty lines left out."""
    pending, begun_at = "", 0
    going_on = False
    natural = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, raw in enumerate(natural, start=1):
        line = raw.lstrip(BLANKS)
        if not going_on:
            if not line or line[0] in "#!":
                continue
            pending, begun_at = "", number
        backslashes = len(line) - len(line.rstrip("\\"))
        going_on = backslashes % 2 == 1
        pending += line[:-1] if going_on else line
        if not going_on:
            yield begun_at, pending
    if going_on and pending:
        yield begun_at, pending


def _entry(line: str, number: int) -> Property:
    at = 0
    while at < len(line) and line[at] not in "=: \t\f":
        at += 2 if line[at] == "\\" else 1
    key, rest = line[:at], line[at:].lstrip(BLANKS)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(BLANKS)
    return Property(_unescape(key, number), _unescape(rest, number), number)


def _unescape(text: str, number: int) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character != "\\" or at == len(text):
            out.append("" if character == "\\" else character)
            continue
        character = text[at]
        at += 1
        if character == "u":
            digits = text[at : at + 4]
            if len(digits) < 4 or not HEX_DIGITS.issuperset(digits):
                raise InvalidProperties(f"line {number}: \\u needs four hexadecimal digits")
            out.append(chr(int(digits, 16)))
            at += 4
        else:
            out.append(ESCAPES.get(character, character))
    return "".join(out)
