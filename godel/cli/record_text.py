"""Records as text: JSON that loses nothing, and format strings as kcat and rpk have them.

    %t topic   %p partition   %o offset   %T timestamp (ms)   %d timestamp (UTC)
    %k key     %K its size    %s or %v value   %S its size    %h headers   %% percent
    \\n newline, \\t tab, \\0 zero byte, \\\\ backslash

In JSON, bytes that are not UTF-8 stand under `key_base64`, `value_base64` instead.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

import typer

from godel.cli.times import format_time
from godel.records.batch import Record
from godel.records.builder import NewRecord
from godel.types import TopicPartition

Formatter = Callable[[TopicPartition, Record], bytes]

_TOKEN = re.compile(r"%(.)|\\(.)|([^%\\]+)", re.DOTALL)
_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", "\\": b"\\"}
_FIELDS: dict[str, Formatter] = {
    "t": lambda where, _record: where.topic.encode(),
    "p": lambda where, _record: b"%d" % where.partition,
    "o": lambda _where, record: b"%d" % record.offset,
    "T": lambda _where, record: b"%d" % record.timestamp,
    "d": lambda _where, record: format_time(record.timestamp).encode(),
    "k": lambda _where, record: record.key or b"",
    "K": lambda _where, record: b"%d" % (-1 if record.key is None else len(record.key)),
    "s": lambda _where, record: record.value or b"",
    "v": lambda _where, record: record.value or b"",
    "S": lambda _where, record: b"%d" % (-1 if record.value is None else len(record.value)),
    "h": lambda _where, record: headers_text(record),
    "%": lambda _where, _record: b"%",
}


def formatter(template: str) -> Formatter:
    """A function that writes records after a format string."""
    parts: list[Formatter | bytes] = []
    for field, escape, plain in _TOKEN.findall(template):
        if field:
            if field not in _FIELDS:
                raise typer.BadParameter(f"%{field} means nothing: %{' %'.join(_FIELDS)}")
            parts.append(_FIELDS[field])
        elif escape:
            parts.append(_ESCAPES.get(escape, escape.encode()))
        else:
            parts.append(plain.encode())

    def write(where: TopicPartition, record: Record) -> bytes:
        return b"".join(part if isinstance(part, bytes) else part(where, record) for part in parts)

    return write


def headers_text(record: Record) -> bytes:
    """Headers as kcat writes them: key=value, with commas."""
    return b",".join(
        name.encode() + b"=" + (b"NULL" if value is None else value)
        for name, value in record.headers
    )


# -- JSON -----------------------------------------------------------------------------------------


def as_object(where: TopicPartition, record: Record) -> dict[str, Any]:
    """A record as it stands in a line of JSON."""
    return {
        "topic": where.topic,
        "partition": where.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        **_said("key", record.key),
        **_said("value", record.value),
        "headers": [{"name": name, **_said("value", value)} for name, value in record.headers],
    }


def json_line(where: TopicPartition, record: Record) -> bytes:
    return json.dumps(as_object(where, record), ensure_ascii=False).encode() + b"\n"


def _said(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(value).decode()}


KNOWN = frozenset(
    {"topic", "partition", "offset", "timestamp", "key", "value", "key_base64", "value_base64",
     "headers"}
)  # fmt: skip


def of_object(read: object) -> tuple[NewRecord, int | None]:
    """A record, and the partition that it names, of a decoded line. Raises `ValueError`.

    A value that is no text is taken as JSON: `{"value": {"a": 1}}`. Headers are a mapping, or a
    list as in what `consume` writes.
    """
    if not isinstance(read, dict):
        raise ValueError("it is no JSON object")
    if unknown := sorted(read.keys() - KNOWN):
        raise ValueError(f"it has the unknown key {unknown[0]}")
    timestamp, partition = read.get("timestamp"), read.get("partition")
    for name, number in (("timestamp", timestamp), ("partition", partition)):
        if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
            raise ValueError(f"{name} is no number")
    headers = read.get("headers") or []
    if isinstance(headers, Mapping):
        headers = [{"name": name, "value": value} for name, value in headers.items()]
    record = NewRecord(
        key=_meant("key", read),
        value=_meant("value", read),
        headers=[_header(each) for each in headers],
        timestamp_ms=timestamp,
    )
    return record, partition


def _header(read: object) -> tuple[str, bytes | None]:
    if not isinstance(read, dict) or not isinstance(read.get("name"), str):
        raise ValueError("a header has no name")
    return read["name"], _meant("value", read)


def _meant(name: str, read: Mapping[str, Any]) -> bytes | None:
    encoded = read.get(f"{name}_base64")
    if encoded is not None:
        if not isinstance(encoded, str):
            raise ValueError(f"{name}_base64 is no text")
        return b64decode(encoded, validate=True)
    value = read.get(name)
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
