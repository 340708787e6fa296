from __future__ import annotations

import pytest

from godel.storage.checkpoint_file import (
    DamagedCheckpoint,
    LogEnd,
    read_ends,
    read_offsets,
    write_atomically,
    write_ends,
    write_offsets,
)
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.memory_files import MemoryFiles
from godel.types import TopicPartition
from tests.storage.harness import put


def test_offsets_as_kafka_writes_them() -> None:
    files = MemoryFiles()
    offsets = {TopicPartition("b-c", 1): 7, TopicPartition("a", 10): 0}
    write_offsets(files, "points", offsets)
    assert files.read("points") == b"0\n2\na 10 0\nb-c 1 7\n"
    assert read_offsets(files, "points") == offsets
    assert files.list_files(".") == ["points"]
    assert read_offsets(files, "missing") == {}


@pytest.mark.parametrize(
    "text", ["", "1\n0\n", "0\n2\na 1 2\n", "0\nx\n", "0\n1\na 1\n", "0\n1\na b 2\n", "\xff\n0\n"]
)
def test_damaged_offsets(text: str) -> None:
    files = MemoryFiles()
    put(files, "points", text.encode("latin-1"))
    with pytest.raises(DamagedCheckpoint, match="points"):
        read_offsets(files, "points")


def test_a_checkpoint_is_the_old_or_the_new_one_whenever_the_power_goes() -> None:
    operations = 0
    while True:
        operations += 1
        files = FaultyFiles()
        write_atomically(files, "f", b"old")
        files.crash_at = files.operations + operations
        try:
            write_atomically(files, "f", b"new")
        except Exception:  # noqa: BLE001 - a power cut, whatever it is called
            assert files.after_crash().read("f") == b"old"
        else:
            assert files.after_crash().read("f") == b"new"
            break
    assert operations > 4


def test_a_failed_write_leaves_the_old_checkpoint() -> None:
    files = FaultyFiles()
    write_atomically(files, "f", b"old")
    for kind in (Kind.APPEND, Kind.SYNC, Kind.RENAME):
        files.fail(lambda operation, kind=kind: operation.kind is kind)  # type: ignore[misc] # bound
        with pytest.raises(OSError, match="injected"):
            write_atomically(files, "f", b"new")
        files.faults = None
        assert files.read("f") == b"old"


def test_ends_of_logs() -> None:
    files = MemoryFiles()
    ends = {TopicPartition("a", 1): LogEnd(70, 50, 1234), TopicPartition("a", 0): LogEnd(0, 0, 0)}
    write_ends(files, "ends", ends)
    assert files.read("ends") == b"0\n2\na 0 0 0 0\na 1 70 50 1234\n"
    assert read_ends(files, "ends") == ends
    put(files, "ends", b"0\n1\na 1 70 50\n")
    with pytest.raises(DamagedCheckpoint, match="the line"):
        read_ends(files, "ends")
