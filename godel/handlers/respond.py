"""Answers that are the same error in every slot, built from what the messages declare.

A response says its error at the top level or, where it has no such field in a version, once for
each topic, partition, group or other thing that the request named. Things are paired in order:
the array of the response that states errors, with the array of the request that has entries.
"""

from __future__ import annotations

from typing import Any

from godel.errors import ErrorCode
from godel.protocol.message import Array, Field, Message, fields_of

INDEXES = ("partition_index", "partition", "index")
"""A partition's number goes by different names in a request and its response."""


def error_response(
    request: Message,
    response: type[Message],
    version: int,
    *,
    code: ErrorCode,
    message: str | None = None,
) -> Message | None:
    """The response that tells `code` wherever this version can; None where it cannot."""
    return _filled(response, request, version, code=code, message=message)


def _filled(
    response: type[Message], asked: object, version: int, *, code: ErrorCode, message: str | None
) -> Message | None:
    """One struct of the answer, made from its counterpart in the request."""
    present = {field.name: field for field in fields_of(response) if field.is_in(version)}
    values: dict[str, Any] = _shared_values(present, asked, version)
    said = "error_code" in present
    if said:
        values["error_code"] = code
        if "error_message" in present and (message or not _is_nullable(present, version)):
            values["error_message"] = message or ""
    else:
        for field in present.values():
            element = _element(field)
            if element is not None and _states_errors(element, version):
                entries = [
                    _filled(element, thing, version, code=code, message=message)
                    for thing in _named_things(asked, version)
                ]
                values[field.name] = entries
                said = bool(entries)
                break
    return response(**values) if said else None


def _is_nullable(present: dict[str, Field], version: int) -> bool:
    return present["error_message"].is_nullable(version)


def _shared_values(present: dict[str, Field], asked: object, version: int) -> dict[str, Any]:
    """What the answer repeats of the request: names, ids, indexes."""
    if isinstance(asked, Message):
        values = {}
        for field in fields_of(type(asked)):
            name = field.name
            if name in INDEXES:
                name = next((index for index in INDEXES if index in present), name)
            if name in present and field.is_in(version) and _element(field) is None:
                values[name] = getattr(asked, field.name)
        return values
    # Only names, as in DescribeGroups, or only numbers, as in OffsetFetch.
    for name, field in present.items():
        if name in INDEXES if isinstance(asked, int) else isinstance(field.default, str):
            return {name: asked}
    return {}


def _named_things(asked: object, version: int) -> list[Any]:
    if isinstance(asked, Message):
        for field in fields_of(type(asked)):
            if isinstance(field.type, Array) and field.is_in(version):
                things = getattr(asked, field.name)
                if things:
                    return list(things)
    return []


def _element(field: Field) -> type[Message] | None:
    """The struct that an array holds."""
    kind = field.type
    if isinstance(kind, Array) and isinstance(kind.element, type):
        return kind.element
    return None


def _states_errors(struct: type[Message], version: int) -> bool:
    for field in fields_of(struct):
        if not field.is_in(version):
            continue
        element = _element(field)
        if field.name == "error_code" or (element and _states_errors(element, version)):
            return True
    return False
