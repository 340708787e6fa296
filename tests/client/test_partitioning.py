"""Keys find the partition that Kafka's own clients choose."""

from __future__ import annotations

import pytest

from godel.client.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        # From the Java client's own test of its hash.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


def test_equal_keys_meet() -> None:
    assert {partition_of(b"N14228", 6) for _ in range(3)} == {partition_of(b"N14228", 6)}
    assert all(0 <= partition_of(bytes([each]), 3) < 3 for each in range(256))
