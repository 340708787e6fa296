"""Where a response states errors: every field `error_code` of the message and the structs in it.

All answers are looked through, so the way through each kind of response is compiled, as its codec
is: loops over its arrays, one inside the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

from godel.protocol.message import Array, Message, fields_of

VisitErrors: TypeAlias = Callable[[Message, Callable[[int], None]], None]
"""(response, visit): calls `visit` with every code in the response that is not 0."""


def error_visitor(response: type[Message]) -> VisitErrors | None:
    """The function for a kind of response; None: it has no such field."""
    body = list(_lines(response, "message", depth=1))
    if not body:
        return None
    names: dict[str, Any] = {}
    exec("\n".join(("def visit_errors(message, visit):", *body)), names)
    return cast("VisitErrors", names["visit_errors"])


def _lines(message: type[Message], name: str, *, depth: int) -> Iterator[str]:
    indent = "    " * depth
    for field in fields_of(message):
        place = f"{name}.{field.name}"
        if field.name == "error_code":
            yield f"{indent}if {place}: visit({place})"
        elif isinstance(field.type, Array) and isinstance(field.type.element, type):
            inner = list(_lines(field.type.element, f"each_{depth}", depth=depth + 1))
            if inner:
                or_none = " or ()" if field.nullable_since is not None else ""
                yield f"{indent}for each_{depth} in {place}{or_none}:"
                yield from inner
