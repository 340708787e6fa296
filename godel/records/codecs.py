"""The four codecs of record batches, by cramjam: what `compression.py` imports when it is needed.

Output is always written into a region of at most `max_bytes` that costs memory only where it is
touched, so a decompression bomb costs at most that cap and one pass over it. Whatever a codec does
not like becomes `CorruptBatch`.

Snappy comes raw or in the xerial framing that the Java client writes (and some clients send raw):
an 8-byte magic, two int32 versions, then blocks of raw snappy, each behind its int32 length.
LZ4 is the frame format; Kafka's Java reader refuses blocks that depend on each other.
"""

from __future__ import annotations

import mmap
from typing import assert_never

import cramjam

from godel.errors import CorruptBatch
from godel.records.compression import Compression
from godel.types import Buffer

XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER = XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01"
XERIAL_BLOCK_BYTES = 32 * 1024

SNAPPY_LARGEST_RATIO = 22
"""A snappy copy takes at least three bytes to say up to 64: more than this is a lie."""


SMALL_BYTES = 64 * 1024
USUAL_RATIO = 8
"""A block this small is first tried in a buffer of so many times its size: a mapping costs 25 µs
more, filling the buffer with zeros far less."""

_DECOMPRESS_INTO = {
    Compression.GZIP: cramjam.gzip.decompress_into,
    Compression.LZ4: cramjam.lz4.decompress_into,
    Compression.ZSTD: cramjam.zstd.decompress_into,
}


def decompress(codec: Compression, data: Buffer, max_bytes: int) -> bytes:
    """`data` unfolded. `CorruptBatch` when it is damaged or larger than `max_bytes`."""
    try:
        if codec is Compression.SNAPPY:
            return _decompress_snappy(memoryview(data), max_bytes)
        return _decompress_stream(codec, data, max_bytes)
    except cramjam.DecompressionError as error:
        raise CorruptBatch(f"{codec.name.lower()}: {error}") from None


def compress(codec: Compression, data: Buffer, level: int | None) -> bytes:
    """`data` folded. `level` None: the codec's default; snappy knows no levels."""
    match codec:
        case Compression.GZIP:
            return bytes(cramjam.gzip.compress(data, 6 if level is None else level))
        case Compression.SNAPPY:
            return _compress_xerial(memoryview(data))
        case Compression.LZ4:
            frame = cramjam.lz4.Compressor(
                level=9 if level is None else level, content_checksum=False, block_linked=False
            )
            frame.compress(bytes(data))
            return bytes(frame.finish())
        case Compression.ZSTD:
            return bytes(cramjam.zstd.compress(data, 3 if level is None else level))
        case Compression.NONE:
            raise AssertionError("nothing to fold")
        case _:
            assert_never(codec)


def _decompress_stream(codec: Compression, data: Buffer, max_bytes: int) -> bytes:
    decompress_into = _DECOMPRESS_INTO[codec]
    guess_bytes = min(len(data) * USUAL_RATIO, max_bytes)
    if len(data) <= SMALL_BYTES:
        small = bytearray(guess_bytes)
        try:
            size = decompress_into(data, small)
        except cramjam.DecompressionError:
            pass  # too small a guess, or damage: the full region tells which
        else:
            del small[size:]
            return bytes(small)
    with mmap.mmap(-1, max(max_bytes, 1), access=mmap.ACCESS_COPY) as region:
        size = decompress_into(data, region)
        if size > max_bytes:
            raise CorruptBatch(f"more than {max_bytes} bytes of records")
        return region[:size]


def _decompress_snappy(data: memoryview, max_bytes: int) -> bytes:
    if data[:8] != XERIAL_MAGIC:
        return _decompress_snappy_block(data, max_bytes)
    blocks: list[bytes] = []
    size = 0
    at, end = len(XERIAL_HEADER), len(data)
    if at > end:
        raise CorruptBatch("snappy: the framing's header is cut")
    while at < end:
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if not 0 <= length <= end - at:
            raise CorruptBatch(f"snappy: a block of {length} bytes with {end - at} left")
        blocks.append(_decompress_snappy_block(data[at : at + length], max_bytes - size))
        size += len(blocks[-1])
        at += length
    return b"".join(blocks)


def _decompress_snappy_block(block: memoryview, max_bytes: int) -> bytes:
    size = cramjam.snappy.decompress_raw_len(block)
    if size > max_bytes or size > len(block) * SNAPPY_LARGEST_RATIO:
        raise CorruptBatch(f"snappy: {len(block)} bytes claim to be {size}, limit {max_bytes}")
    return bytes(cramjam.snappy.decompress_raw(block, output_len=size))


def _compress_xerial(data: memoryview) -> bytes:
    parts = [XERIAL_HEADER]
    for at in range(0, len(data), XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(data[at : at + XERIAL_BLOCK_BYTES]))
        parts += (len(block).to_bytes(4, "big"), block)
    return b"".join(parts)
