"""A partition's producer snapshots: `NNN.snapshot` is the producers' state as of offset NNN.

    version int16 = 1 | crc uint32 (CRC-32C of all that follows) | count int32 | entries
    entry: producer_id int64, producer_epoch int16, last_sequence int32, last_offset int64,
           offset_delta int32, timestamp int64, coordinator_epoch int32,
           current_transaction_first_offset int64

Source: Kafka's `ProducerStateManager` and its schema `ProducerSnapshot`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from godel.records import crc
from godel.records.partition_log import ProducerEntry
from godel.storage import layout
from godel.storage.files import File, Files, join

VERSION = 1
CRC_COVERS_FROM = 6

_HEADER = struct.Struct(">hIi")
_ENTRY = struct.Struct(">qhiqiqiq")


class DamagedSnapshot(Exception):
    """A snapshot file whose version, size or CRC is wrong; an older one may do."""


def encode_producers(producers: Sequence[ProducerEntry]) -> bytes:
    """The content of a snapshot file."""
    data = bytearray(_HEADER.pack(VERSION, 0, len(producers)))
    for producer in producers:
        data += _ENTRY.pack(*producer)
    struct.pack_into(">I", data, 2, crc.crc32c(memoryview(data)[CRC_COVERS_FROM:]))
    return bytes(data)


def decode_producers(data: bytes) -> list[ProducerEntry]:
    """Raises `DamagedSnapshot`."""
    if len(data) < _HEADER.size:
        raise DamagedSnapshot(f"{len(data)} bytes are less than a header")
    version, checksum, count = _HEADER.unpack_from(data)
    if version != VERSION:
        raise DamagedSnapshot(f"version {version} instead of {VERSION}")
    if crc.crc32c(memoryview(data)[CRC_COVERS_FROM:]) != checksum:
        raise DamagedSnapshot("the CRC does not match")
    if len(data) != _HEADER.size + count * _ENTRY.size:
        raise DamagedSnapshot(f"{len(data)} bytes do not hold {count} entries")
    entries = memoryview(data)[_HEADER.size :]
    return [ProducerEntry(*fields) for fields in _ENTRY.iter_unpack(entries)]


def write_producers(
    files: Files, folder: str, offset: int, producers: Sequence[ProducerEntry]
) -> File:
    """Write the snapshot as of `offset`; returns the file. Raises OSError.

    It is not synced and has its name at once: its CRC tells whether it is whole.
    """
    data = encode_producers(producers)
    file = files.open(join(folder, layout.segment_file(offset, layout.PRODUCER_SNAPSHOT)), 0)
    file.truncate(0)
    file.append((data,), len(data))
    file.close()
    return file


def read_producers(files: Files, folder: str, offset: int) -> list[ProducerEntry]:
    """Raises `DamagedSnapshot` or OSError."""
    path = join(folder, layout.segment_file(offset, layout.PRODUCER_SNAPSHOT))
    return decode_producers(files.read(path))
