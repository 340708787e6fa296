"""Compression of record batches: which codecs there are, and the way to them.

The codecs themselves are in `codecs.py`, which is imported when a batch is first folded or unfolded
here: the library behind it is 5 MiB, and a broker stores what producers have compressed as it is.
"""

from __future__ import annotations

from enum import IntEnum

from godel.errors import CorruptBatch
from godel.types import Buffer

DECOMPRESSED_LIMIT_BYTES = 104_857_600
"""What a batch may unfold to: as much as a client could have sent in one frame uncompressed."""


class Compression(IntEnum):
    """The codec of a batch: bits 0 to 2 of its attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def decompress(codec: Compression, data: Buffer, max_bytes: int) -> bytes:
    """`data` unfolded. `CorruptBatch` when it is damaged or larger than `max_bytes`."""
    if codec is not Compression.NONE:
        from godel.records import codecs

        return codecs.decompress(codec, data, max_bytes)
    if len(data) > max_bytes:
        raise CorruptBatch(f"{len(data)} bytes of records, limit {max_bytes}")
    return bytes(data)


def compress(codec: Compression, data: Buffer, level: int | None = None) -> bytes:
    """`data` folded. `level` None or -1: the codec's default; snappy knows no levels."""
    if codec is not Compression.NONE:
        from godel.records import codecs

        return codecs.compress(codec, data, None if level == -1 else level)
    return bytes(data)
