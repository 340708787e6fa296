from __future__ import annotations

from godel.records.partition_log import EpochStart, ProducerEntry
from godel.storage.memory_files import MemoryFiles
from godel.storage.sidecar_files import SidecarFiles
from tests.storage.harness import put

ENTRY = ProducerEntry(1, 0, 0, 5, 0, 1, -1, -1)


def sidecars() -> tuple[MemoryFiles, SidecarFiles]:
    files = MemoryFiles()
    files.make_folder("p")
    return files, SidecarFiles(files, "p", set())


def test_the_newest_whole_snapshot_is_taken() -> None:
    files, beside = sidecars()
    assert beside.latest_producers(100) is None
    for offset in (10, 20, 30):
        beside.write_producers(offset, [ENTRY], [10, 20])
    assert beside.latest_producers(100) == (30, [ENTRY])
    assert beside.latest_producers(29) == (20, [ENTRY])
    put(files, f"p/{30:020d}.snapshot", b"torn")
    assert beside.latest_producers(100) == (20, [ENTRY])


def test_snapshots_without_a_segment_go_but_for_the_newest() -> None:
    files, beside = sidecars()
    for offset in (10, 20, 30):
        beside.write_producers(offset, [], [20])
    assert sorted(files.list_files("p")) == [f"{20:020d}.snapshot", f"{30:020d}.snapshot"]


def test_damaged_epochs_are_taken_from_the_batches() -> None:
    files, beside = sidecars()
    put(files, "p/leader-epoch-checkpoint", b"rubbish")
    assert beside.leader_epochs([EpochStart(2, 5)], 10) == [EpochStart(2, 5)]
    beside.write_leader_epochs([EpochStart(1, 0), EpochStart(3, 11)])
    assert beside.leader_epochs([EpochStart(1, 4)], 10) == [EpochStart(1, 0)]


def test_topic_id() -> None:
    _, beside = sidecars()
    assert beside.topic_id() is None
    beside.write_topic_id(bytes(range(16)))
    assert beside.topic_id() == bytes(range(16))
