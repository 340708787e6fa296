"""Where clients' own partitioners put a key, for libraries that do not tell."""

from __future__ import annotations

import zlib

MURMUR_FACTOR = 0x5BD1E995


def murmur2(key: bytes) -> int:
    """Unsigned; the seed is Kafka's."""

    def mixed(k: int) -> int:
        k = k * MURMUR_FACTOR & 0xFFFFFFFF
        return (k ^ k >> 24) * MURMUR_FACTOR & 0xFFFFFFFF

    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        h = h * MURMUR_FACTOR & 0xFFFFFFFF ^ mixed(int.from_bytes(key[at : at + 4], "little"))
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * MURMUR_FACTOR & 0xFFFFFFFF
    h = (h ^ h >> 13) * MURMUR_FACTOR & 0xFFFFFFFF
    return h ^ h >> 15


def javas(key: bytes, partitions: int) -> int:
    """Java's default; most pure clients promise the same."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def unsigned(key: bytes, partitions: int) -> int:
    """As Java's, but for the sign of the hash, which Java clears."""
    return murmur2(key) % partitions


def librdkafkas(key: bytes, partitions: int) -> int:
    return zlib.crc32(key) % partitions
