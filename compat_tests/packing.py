"""Records as JSON, for remote.py and serve.py; no package, as clients' programs import it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence

from compat_tests.client import Record


def packed(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def unpacked(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def packed_record(record: Record) -> list[object]:
    headers = [[name, packed(value)] for name, value in record.headers]
    return [packed(record.value), packed(record.key), headers, record.timestamp_ms]


def unpacked_record(parts: Sequence) -> Record:
    value, key, headers, *time = parts
    return Record(
        unpacked(value),
        unpacked(key),
        tuple((name, unpacked(value)) for name, value in headers),
        *time,
    )
