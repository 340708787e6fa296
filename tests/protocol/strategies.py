"""Hypothesis strategies for messages: any value that some version can carry."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from godel.errors import ErrorCode
from godel.protocol.message import Array, Field, FieldType, Message, fields_of
from godel.protocol.types import BOOL, FLOAT64, STRING, UUID, Primitive
from godel.types import ZERO_ID

TEXTS = st.one_of(
    st.sampled_from(["", "a", "topic", "größer", "x" * 126, "x" * 127, "x" * 128, "日本" * 90]),
    st.text(max_size=5),
)
BLOBS = st.one_of(
    st.sampled_from([b"", b"x" * 126, b"x" * 127, b"y" * 16_384]), st.binary(max_size=5)
)
IDS = st.one_of(st.just(ZERO_ID), st.binary(min_size=16, max_size=16))
ERROR_CODES = st.sampled_from([int(code) for code in ErrorCode if code <= 130])
TIMES_MS = st.integers(-1, 1 << 42)


def integers(kind: Primitive) -> st.SearchStrategy[int]:
    bits = kind.size * 8
    low, high = (0, 2**bits - 1) if kind.format.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    high -= 0 if kind.format.isupper() else 1
    return st.one_of(st.sampled_from([low, high, 0, 1]), st.integers(low, high))


def primitives(kind: Primitive, name: str) -> st.SearchStrategy[Any]:
    if kind is BOOL:
        return st.booleans()
    if kind is FLOAT64:
        return st.floats(allow_nan=False)
    if kind is UUID:
        return IDS
    if kind.format:
        if name == "error_code":
            return ERROR_CODES
        if name in TIMES:
            return TIMES_MS
        return integers(kind)
    return TEXTS if kind is STRING else BLOBS


TIMES = {"log_append_time_ms", "timestamp", "max_timestamp", "retention_time_ms"}
"""Fields that kio turns into times, which do not reach as far as an int64."""


def values(kind: FieldType, name: str = "") -> st.SearchStrategy[Any]:
    if isinstance(kind, Array):
        return st.lists(values(kind.element), max_size=2)
    if isinstance(kind, Primitive):
        return primitives(kind, name)
    return messages(kind)


def field_values(field: Field) -> st.SearchStrategy[Any]:
    strategy = values(field.type, field.name)
    if field.nullable_since is not None:
        strategy = st.one_of(st.none(), strategy)
    if field.tag is not None or field.since:
        strategy = st.one_of(st.just(field.default), strategy)
    return strategy


@cache
def messages(cls: type[Message]) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{field.name: field_values(field) for field in fields_of(cls)})
