"""Records as JSON, for programs.py and serve.py; no package, as clients' programs import it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from compat_tests.client import Record


def to_text(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def to_bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def record_to_json(record: Record) -> dict[str, object]:
    return {
        "value": to_text(record.value),
        "key": to_text(record.key),
        "headers": [{"key": key, "value": to_text(value)} for key, value in record.headers],
        "timestamp_ms": record.timestamp_ms,
    }


def record_from_json(fields: Mapping[str, Any]) -> Record:
    headers = tuple((h["key"], to_bytes(h["value"])) for h in fields["headers"] or ())
    return Record(
        to_bytes(fields["value"]), to_bytes(fields["key"]), headers, fields.get("timestamp_ms")
    )
