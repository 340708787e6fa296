from __future__ import annotations

import pytest

from godel.records.partition_log import EpochStart
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.leader_epoch_checkpoint import read_leader_epochs, write_leader_epochs
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import put


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
