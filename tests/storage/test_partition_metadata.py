from __future__ import annotations

import pytest

from godel.storage.checkpoint import DamagedCheckpoint
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
    for length in range(len(text) - 1):
        torn = text[:length]
        for left in (torn, torn + bytes(len(text) - length)):
            put(files, "p/partition.metadata", left)
            assert read_partition_metadata(files, "p") is None
    damaged = (b"version: 1\ntopic_id: ZGVmZ2hpamtsbW5vcHFycw\n", b"version: 0\n\n", b"\xff")
    for damage in (*damaged, b"version: 0\ntopic_id: ZGVm\n"):
        put(files, "p/partition.metadata", damage)
        with pytest.raises(DamagedCheckpoint):
            read_partition_metadata(files, "p")


def test_ids() -> None:
    raw = b"\xfb\xff" * 8
    assert id_text(raw) == "-__7__v_-__7__v_-__7_w"
    assert parse_id(id_text(raw)) == raw
    for text in ("", "abc", "*" * 22, id_text(raw) + "AAAA"):
        with pytest.raises(ValueError, match="id"):
            parse_id(text)
