"""Which partition a record goes to: by its key as Kafka's own clients do, or round and round."""

from __future__ import annotations

MASK = 0xFFFFFFFF
SEED = 0x9747B28C
FACTOR = 0x5BD1E995


def murmur2(key: bytes) -> int:
    """The hash of Kafka's Java client: 32-bit murmur2 with its seed."""
    length = len(key)
    hashed = SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * FACTOR & MASK
        word ^= word >> 24
        hashed = hashed * FACTOR & MASK ^ word * FACTOR & MASK
    if whole < length:
        hashed ^= int.from_bytes(key[whole:], "little")
        hashed = hashed * FACTOR & MASK
    hashed ^= hashed >> 13
    hashed = hashed * FACTOR & MASK
    return hashed ^ hashed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: equal keys meet, with whichever client they were sent."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
