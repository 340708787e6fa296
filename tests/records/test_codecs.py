"""The codecs: what they write, what they read, and that no input makes them write without end."""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import suppress

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.errors import CorruptBatch
from godel.records.codecs import XERIAL_BLOCK_BYTES, XERIAL_HEADER, XERIAL_MAGIC
from godel.records.compression import Compression, compress, decompress

CODECS = list(Compression)
STREAMS = [Compression.GZIP, Compression.LZ4, Compression.ZSTD]
MIB = 1024 * 1024


@given(codec=st.sampled_from(CODECS), data=st.binary(max_size=200_000))
def test_what_was_compressed_comes_back(codec: Compression, data: bytes) -> None:
    assert decompress(codec, compress(codec, data), max(len(data), 1)) == data


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(codec: Compression, kind: type) -> None:
    data = b"some records " * 1000
    assert decompress(codec, kind(compress(codec, kind(data))), MIB) == data


@pytest.mark.parametrize("codec", STREAMS)
@pytest.mark.parametrize("level", [None, -1, 1, 9])
def test_levels(codec: Compression, level: int | None) -> None:
    data = bytes(range(256)) * 100
    assert decompress(codec, compress(codec, data, level), MIB) == data


@pytest.mark.parametrize("codec", CODECS)
def test_the_limit_is_exact(codec: Compression) -> None:
    data = b"x" * 70_000
    stored = compress(codec, data)
    assert decompress(codec, stored, 70_000) == data
    with pytest.raises(CorruptBatch):
        decompress(codec, stored, 69_999)


@pytest.mark.parametrize("codec", STREAMS)
def test_nothing_may_come_out_where_nothing_is_allowed(codec: Compression) -> None:
    with pytest.raises(CorruptBatch):
        decompress(codec, compress(codec, b"x"), 0)
    assert decompress(codec, compress(codec, b""), 0) == b""


@pytest.mark.parametrize("codec", STREAMS)
def test_a_bomb_costs_no_more_than_the_limit(codec: Compression) -> None:
    bomb = compress(codec, bytes(64 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(CorruptBatch):
            decompress(codec, bomb, MIB)
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    finally:
        tracemalloc.stop()


def test_a_snappy_block_that_claims_too_much_is_not_believed() -> None:
    claim = b"\xff\xff\xff\x2f"  # 100,663,295 bytes to come
    tracemalloc.start()
    try:
        with pytest.raises(CorruptBatch, match="claim"):
            decompress(Compression.SNAPPY, claim + b"\x00" * 100, 100 * MIB)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_many_snappy_blocks_share_one_limit() -> None:
    block = bytes(cramjam.snappy.compress_raw(bytes(30_000)))
    framed = XERIAL_HEADER + (len(block).to_bytes(4, "big") + block) * 10
    assert len(decompress(Compression.SNAPPY, framed, 300_000)) == 300_000
    with pytest.raises(CorruptBatch):
        decompress(Compression.SNAPPY, framed, 299_999)


def test_the_best_snappy_ratio_is_believed() -> None:
    zeros = bytes(MIB)
    raw = bytes(cramjam.snappy.compress_raw(zeros))
    assert decompress(Compression.SNAPPY, raw, MIB) == zeros


def test_snappy_is_written_with_xerial_framing_and_read_with_and_without() -> None:
    data = bytes(range(256)) * 300
    framed = compress(Compression.SNAPPY, data)
    assert framed.startswith(XERIAL_MAGIC)
    assert len(data) > 2 * XERIAL_BLOCK_BYTES
    assert decompress(Compression.SNAPPY, framed, MIB) == data
    raw = bytes(cramjam.snappy.compress_raw(data))
    assert decompress(Compression.SNAPPY, raw, MIB) == data


@pytest.mark.parametrize(
    "framed",
    [
        XERIAL_MAGIC,
        XERIAL_HEADER[:-1],
        XERIAL_HEADER + b"\x00",
        XERIAL_HEADER + b"\x00\x00\x00\x05abc",
        XERIAL_HEADER + b"\xff\xff\xff\xff",
        XERIAL_HEADER + b"\x7f\xff\xff\xff" + b"x" * 100,
        XERIAL_HEADER + b"\x00\x00\x00\x03abc",
    ],
)
def test_broken_xerial_framing(framed: bytes) -> None:
    with pytest.raises(CorruptBatch):
        decompress(Compression.SNAPPY, framed, MIB)


def test_lz4_frames_are_what_the_java_client_reads() -> None:
    frame = compress(Compression.LZ4, b"abc" * 100_000)
    assert frame[:4] == bytes.fromhex("04224d18")
    version, independent_blocks = frame[4] >> 6, bool(frame[4] & 0x20)
    assert (version, independent_blocks) == (1, True)


def test_gzip_is_gzip() -> None:
    assert gzip.decompress(compress(Compression.GZIP, b"abc")) == b"abc"
    assert decompress(Compression.GZIP, gzip.compress(b"abc"), 10) == b"abc"


@pytest.mark.parametrize("codec", STREAMS)
def test_a_cut_stream_is_corrupt(codec: Compression) -> None:
    stored = compress(codec, bytes(range(256)) * 10)
    for size in range(len(stored)):
        with pytest.raises(CorruptBatch):
            decompress(codec, stored[:size], MIB)


@given(codec=st.sampled_from(CODECS), garbage=st.binary(max_size=300))
def test_garbage_is_corrupt_or_harmless(codec: Compression, garbage: bytes) -> None:
    with suppress(CorruptBatch):
        assert len(decompress(codec, garbage, MIB)) <= MIB


@given(
    codec=st.sampled_from([*STREAMS, Compression.SNAPPY]),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_never_escapes_as_something_else(
    codec: Compression, at: int, bit: int
) -> None:
    stored = bytearray(compress(codec, b"one two three " * 40))
    stored[at % len(stored)] ^= 1 << bit
    with suppress(CorruptBatch):
        assert len(decompress(codec, stored, MIB)) <= MIB
