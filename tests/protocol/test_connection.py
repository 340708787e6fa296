"""Bytes in, frames out: however the bytes are cut, the same frames."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from godel.protocol import connection
from godel.protocol.connection import FrameReader, SpareBuffers
from godel.protocol.frame import SIZE

MAX_BYTES = 100 * 1024 * 1024


def framed(bodies: Iterable[bytes]) -> bytes:
    return b"".join(SIZE.pack(len(body)) + body for body in bodies)


def received(reader: FrameReader, chunks: Iterable[bytes]) -> list[bytes]:
    return [bytes(frame) for chunk in chunks for frame in reader.receive_data(chunk)]


def read_from_socket(reader: FrameReader, data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Feed `data` as an event loop does: into whatever buffer the reader hands out."""
    frames: list[bytes] = []
    at = 0
    wanted = iter(sizes)
    while at < len(data):
        buffer = reader.get_buffer()
        assert len(buffer) > 0
        piece = data[at : at + min(len(buffer), next(wanted, len(buffer)))]
        buffer[: len(piece)] = piece
        at += len(piece)
        frames += [bytes(frame) for frame in reader.buffer_updated(len(piece))]
        reader.release()
    return frames


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    points = [0, *sorted(point % (len(data) + 1) for point in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(points)]


bodies = st.lists(st.binary(max_size=40), max_size=12)


@given(bodies, st.lists(st.integers(0, 1000), max_size=10))
def test_every_way_to_cut_gives_the_same_frames(expected: list[bytes], cuts: list[int]) -> None:
    data = framed(expected)
    assert received(FrameReader(100), [data]) == expected
    assert received(FrameReader(100), cut(data, cuts)) == expected
    assert received(FrameReader(100), [bytes([byte]) for byte in data]) == expected


@given(
    st.lists(st.integers(0, 400_000), max_size=4),
    st.lists(st.integers(1, 150_000), max_size=12),
)
def test_large_frames_are_read_into_their_own_buffer(sizes: list[int], reads: list[int]) -> None:
    expected = [bytes([at + 1]) * size for at, size in enumerate(sizes)]
    scratch = memoryview(bytearray(64 * 1024))
    assert read_from_socket(FrameReader(MAX_BYTES, scratch), framed(expected), reads) == expected
    with_spares = FrameReader(MAX_BYTES, scratch, SpareBuffers(1))
    assert read_from_socket(with_spares, framed(expected), reads) == expected


@given(bodies, st.integers(101, 2**31 - 1) | st.integers(-(2**31), -1), st.integers(1, 9))
def test_a_refused_size_ends_the_frames_but_keeps_those_before(
    expected: list[bytes], size: int, step: int
) -> None:
    data = framed(expected) + SIZE.pack(size) + framed([b"never read"])
    reader = FrameReader(100)
    chunks = [data[at : at + step] for at in range(0, len(data), step)]
    assert received(reader, chunks) == expected
    assert reader.error is not None
    assert reader.error.size_bytes == size

    at_once = FrameReader(100)
    assert received(at_once, [data, data]) == expected
    assert at_once.error is not None


def test_a_frame_within_a_chunk_is_a_view_of_it() -> None:
    chunk = bytearray(framed([b"abc", b"defg"]))
    frames = FrameReader(100).receive_data(chunk)
    assert [frame.obj is chunk for frame in frames] == [True, True]


def test_the_largest_frame_allowed_and_an_empty_one_are_frames() -> None:
    reader = FrameReader(10)
    assert received(reader, [framed([b"0123456789", b""])]) == [b"0123456789", b""]
    assert reader.error is None


def test_the_shared_buffer_is_used_until_much_is_missing() -> None:
    scratch = memoryview(bytearray(64 * 1024))
    reader = FrameReader(MAX_BYTES, scratch)
    assert reader.get_buffer() is scratch
    reader.receive_data(SIZE.pack(connection.DIRECT_BYTES + 1) + b"ab")
    assert reader.get_buffer() is scratch
    assert reader.unfinished_bytes == connection.DIRECT_BYTES + 1
    reader = FrameReader(MAX_BYTES, scratch)
    reader.receive_data(SIZE.pack(1_000_000) + b"ab")
    assert reader.get_buffer() is not scratch


def test_asking_for_a_buffer_twice_loses_nothing() -> None:
    scratch = memoryview(bytearray(64 * 1024))
    reader = FrameReader(MAX_BYTES, scratch)
    reader.receive_data(SIZE.pack(200_000) + bytes(70_000))
    held = reader.get_buffer()
    again = reader.get_buffer()
    again[:3] = b"abc"
    assert reader.buffer_updated(3) == []
    assert len(reader.get_buffer()) == len(held) - 3


def test_a_claimed_size_allocates_only_what_has_come() -> None:
    readers = [FrameReader(MAX_BYTES, memoryview(bytearray(1))) for _ in range(10)]
    tracemalloc.start()
    try:
        for reader in readers:
            reader.receive_data(SIZE.pack(MAX_BYTES) + b"x")
            reader.get_buffer()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10 * 2 * connection.FIRST_BYTES


def test_between_frames_nothing_is_kept_but_a_started_size() -> None:
    reader = FrameReader(100)
    reader.receive_data(framed([b"abc"]) + b"\0\0")
    assert reader.unfinished_bytes == 0
    assert received(reader, [b"\0\1x"]) == [b"x"]


def test_large_frames_take_turns_in_a_spare_buffer() -> None:
    scratch, spares = memoryview(bytearray(64 * 1024)), SpareBuffers(1)
    reader = FrameReader(MAX_BYTES, scratch, spares)
    lain_in = set()
    for byte in b"ab":
        reader.receive_data(SIZE.pack(200_000))
        reader.receive_data(bytes([byte]) * 100_000)
        assert spares.take() is None
        (frame,) = reader.receive_data(bytes([byte]) * 100_000)
        assert bytes(frame) == bytes([byte]) * 200_000
        assert reader.lends(frame)
        assert spares.take() is None
        lain_in.add(id(frame.obj))
        reader.release()
    assert len(lain_in) == 1


def test_a_connection_that_ends_gives_its_spare_buffer_back() -> None:
    spares = SpareBuffers(1)
    for chunk in (bytes(100_000), bytes(200_000)):
        reader = FrameReader(MAX_BYTES, None, spares)
        reader.receive_data(SIZE.pack(200_000) + chunk)
        reader.close()
    reader = FrameReader(MAX_BYTES, None, spares)
    reader.receive_data(SIZE.pack(200_000))
    reader.receive_data(bytes(1))
    reader.close()
    spare = spares.take()
    assert spare is not None
    assert spares.take() is None


def test_without_a_spare_buffer_or_too_large_for_one_a_frame_has_its_own() -> None:
    spares = SpareBuffers(1)
    readers = [FrameReader(MAX_BYTES, None, spares) for _ in range(3)]
    sizes = [connection.SPARE_BYTES + 1, connection.SPARE_BYTES, connection.SPARE_BYTES]
    for reader, size in zip(readers, sizes, strict=True):
        reader.receive_data(SIZE.pack(size) + b"ab")
    frames = [
        reader.receive_data(bytes(size - 2))[0] for reader, size in zip(readers, sizes, strict=True)
    ]
    assert [len(frame) for frame in frames] == sizes
    pairs = zip(readers, frames, strict=True)
    assert [reader.lends(frame) for reader, frame in pairs] == [False, True, False]


def test_behind_a_large_frame_little_is_read_that_would_have_to_be_moved() -> None:
    scratch = memoryview(bytearray(256 * 1024))
    reader = FrameReader(MAX_BYTES, scratch, SpareBuffers(1))
    read_from_socket(reader, framed([bytes(500_000)]), [])
    assert len(reader.get_buffer()) == connection.HEAD_BYTES
    read_from_socket(reader, framed([b"small"]), [])
    assert reader.get_buffer() is scratch
