from __future__ import annotations

import pytest

from godel.records.partition_log import EpochStart, ProducerEntry
from godel.storage.checkpoint import (
    DamagedCheckpoint,
    read_offsets,
    write_atomically,
    write_offsets,
)
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.leader_epoch_checkpoint import read_leader_epochs, write_leader_epochs
from godel.storage.memory_files import MemoryFiles
from godel.storage.partition_metadata import (
    id_text,
    parse_id,
    read_partition_metadata,
    write_partition_metadata,
)
from godel.storage.producer_snapshot import (
    DamagedSnapshot,
    decode_producers,
    encode_producers,
    read_producers,
    write_producers,
)
from godel.types import TopicPartition


def put(files: MemoryFiles, path: str, data: bytes) -> None:
    file = files.open(path, 0)
    file.truncate(0)
    file.append((data,), len(data))


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


def test_leader_epochs() -> None:
    files = MemoryFiles()
    files.make_folder("p")
    epochs = [EpochStart(0, 0), EpochStart(3, 17)]
    write_leader_epochs(files, "p", epochs)
    assert files.read("p/leader-epoch-checkpoint") == b"0\n2\n0 0\n3 17\n"
    assert read_leader_epochs(files, "p") == epochs
    for damage in (b"0\n2\n3 17\n0 0\n", b"0\n1\nx 0\n"):
        put(files, "p/leader-epoch-checkpoint", damage)
        with pytest.raises(DamagedCheckpoint):
            read_leader_epochs(files, "p")


def test_partition_metadata() -> None:
    files = MemoryFiles()
    files.make_folder("p")
    topic_id = bytes(range(100, 116))
    assert read_partition_metadata(files, "p") is None
    write_partition_metadata(files, "p", topic_id)
    text = b"version: 0\ntopic_id: ZGVmZ2hpamtsbW5vcHFycw\n"
    assert files.read("p/partition.metadata") == text
    assert read_partition_metadata(files, "p") == topic_id
    put(files, "p/partition.metadata", b"")
    assert read_partition_metadata(files, "p") is None
    for damage in (b"version: 1\ntopic_id: ZGVmZ2hpamtsbW5vcHFycw\n", b"version: 0\n", b"\xff"):
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
