from __future__ import annotations

import pytest

from godel.clock import Randomness
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.faulty_files import FaultyFiles
from godel.storage.memory_files import MemoryFiles
from godel.storage.partition_metadata import (
    id_text,
    parse_id,
    read_partition_metadata,
    write_partition_metadata,
)
from tests.storage.harness import put


def test_partition_metadata() -> None:
    files = MemoryFiles()
    files.make_folder("p")
    topic_id = bytes(range(100, 116))
    assert read_partition_metadata(files, "p") is None
    write_partition_metadata(files, "p", topic_id)
    text = b"version: 0\ntopic_id: ZGVmZ2hpamtsbW5vcHFycw\n"
    assert files.read("p/partition.metadata") == text
    assert read_partition_metadata(files, "p") == topic_id
    damaged = (b"version: 1\ntopic_id: ZGVmZ2hpamtsbW5vcHFycw\n", b"version: 0\n\n", b"\xff")
    for damage in (*damaged, b"version: 0\ntopic_id: ZGVm\n"):
        put(files, "p/partition.metadata", damage)
        with pytest.raises(DamagedCheckpoint):
            read_partition_metadata(files, "p")


def test_a_power_cut_leaves_all_of_it_or_none() -> None:
    found = set()
    for seed in range(200):
        files = FaultyFiles()
        files.make_folder("p")
        files.sync_folder(".")
        write_partition_metadata(files, "p", bytes(16))
        found.add(read_partition_metadata(files.after_crash(Randomness(seed)), "p"))
    assert found == {None, bytes(16)}


def test_ids() -> None:
    raw = b"\xfb\xff" * 8
    assert id_text(raw) == "-__7__v_-__7__v_-__7_w"
    assert parse_id(id_text(raw)) == raw
    for text in ("", "abc", "*" * 22, id_text(raw) + "AAAA"):
        with pytest.raises(ValueError, match="id"):
            parse_id(text)
