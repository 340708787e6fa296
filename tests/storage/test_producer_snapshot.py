from __future__ import annotations

import pytest

from godel.records.partition_log import ProducerEntry
from godel.storage.memory_files import MemoryFiles
from godel.storage.producer_snapshot import (
    DamagedSnapshot,
    decode_producers,
    encode_producers,
    read_producers,
    write_producers,
)


def test_producer_snapshots() -> None:
    files = MemoryFiles()
    files.make_folder("p")
    producers = [
        ProducerEntry(4000, 1, 9, 99, 9, 1_700_000_000_000, -1, -1),
        ProducerEntry(4001, 0, 2**31 - 1, 2**40, 0, 5, 3, 2**40),
    ]
    write_producers(files, "p", 100, producers)
    data = files.read("p/00000000000000000100.snapshot")
    assert len(data) == 10 + 2 * 46
    assert data[:2] == b"\0\1"
    assert read_producers(files, "p", 100) == producers
    assert decode_producers(encode_producers([])) == []
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x40
        with pytest.raises(DamagedSnapshot):
            decode_producers(bytes(damaged))
        with pytest.raises(DamagedSnapshot):
            decode_producers(data[:at])
