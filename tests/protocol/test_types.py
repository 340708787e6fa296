"""The wire types: sizes and zeros."""

from __future__ import annotations

import struct

import pytest

from godel.protocol import types
from godel.protocol.types import Primitive

PRIMITIVES = [value for value in vars(types).values() if isinstance(value, Primitive)]


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda primitive: primitive.name)
def test_size_and_zero_fit_the_format(primitive: Primitive) -> None:
    if primitive.format:
        assert struct.calcsize(">" + primitive.format) == primitive.size
        assert struct.pack(">" + primitive.format, primitive.zero) == bytes(primitive.size)
    else:
        assert primitive.size == 0
        assert len(primitive.zero) == 0


def test_names_are_those_of_kafkas_schemas() -> None:
    names = " ".join(primitive.name for primitive in PRIMITIVES)
    assert names == "bool int8 int16 uint16 int32 uint32 int64 float64 uuid string bytes records"
