"""The checksum, against the check value of its specification."""

from __future__ import annotations

import pytest

from godel.records.crc import crc32c


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_crc_of_the_specifications_example(kind: type) -> None:
    assert crc32c(kind(b"123456789")) == 0xE3069283


def test_a_slice_of_a_view_needs_no_copy() -> None:
    view = memoryview(b"xx123456789xx")[2:-2]
    assert crc32c(view) == 0xE3069283


def test_nothing_has_crc_zero() -> None:
    assert crc32c(b"") == 0
