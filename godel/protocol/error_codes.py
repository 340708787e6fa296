"""Where a response states errors: every field `error_code` of the message and the structs in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, TypeAlias

from godel.protocol.message import Array, Message, fields_of

ErrorCodes: TypeAlias = Callable[[Message], list[int]]
Path: TypeAlias = tuple[str, ...]
"""The arrays to go through, from the outside in."""


def error_codes(response: type[Message]) -> ErrorCodes | None:
    """A function that gives the codes of a response other than 0; None: there is no such field.

    It runs for every answer, so the ways through the message are prepared.
    """
    parts = [_codes_at(path) for path in _paths(response)]
    if len(parts) < 2:
        return parts[0] if parts else None
    return lambda message: [code for part in parts for code in part(message)]


def _paths(message: type[Message], before: Path = ()) -> Iterator[Path]:
    for field in fields_of(message):
        if field.name == "error_code":
            yield before
        elif isinstance(field.type, Array) and isinstance(field.type.element, type):
            yield from _paths(field.type.element, (*before, field.name))


def _codes_at(path: Path) -> ErrorCodes:
    match path:
        case ():
            return _own_code
        case (outer, inner):  # partitions by topic, as Produce and Fetch have them
            topics, partitions = attrgetter(outer), attrgetter(inner)
            return lambda message: [
                code
                for topic in topics(message)
                for partition in partitions(topic)
                if (code := partition.error_code)
            ]
        case _:
            return lambda message: _walk(message, path)


def _own_code(message: Any) -> list[int]:
    code: int = message.error_code
    return [code] if code else []


def _walk(message: Message, path: Path) -> list[int]:
    level: list[Any] = [message]
    for name in path:
        level = [each for one in level for each in getattr(one, name) or ()]
    return [code for each in level if (code := each.error_code)]
