"""A directory that is filled: who may have it, and when it counts."""

from __future__ import annotations

import pytest

from godel.clock import ManualClock, Randomness
from godel.operations.broker_directories import Identity
from godel.operations.new_directory import LogPosition, NewDirectory
from godel.storage.data_directory import DataDirectory, DataDirectoryError
from godel.storage.files import FileLock
from godel.storage.memory_files import MemoryFiles
from godel.types import TopicPartition
from tests.storage.harness import put

ME = Identity("cluster", 7)
T0 = TopicPartition("t", 0)


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


def opened(files: MemoryFiles) -> DataDirectory:
    return DataDirectory.open("d", files=files, clock=ManualClock(), randomness=Randomness(1))


def test_a_finished_one_is_as_after_a_clean_stop(files: MemoryFiles) -> None:
    directory = NewDirectory.begin(files, "d")
    files.make_folder(directory.folder(T0))
    directory.finish(ME, {T0: LogPosition(3, 9)})
    directory.close()
    assert ".unfinished" not in files.list_files("d")
    found = opened(files)
    assert (found.cluster_id, found.node_id, found.was_clean) == ("cluster", 7, True)
    assert (found.positions.log_starts, found.positions.recovery_points) == ({T0: 3}, {T0: 9})


def test_an_unfinished_one_is_nobodys_and_is_emptied(files: MemoryFiles) -> None:
    directory = NewDirectory.begin(files, "d")
    files.make_folder("d/t-0")
    put(files, "d/metadata.sqlite", b"half")
    directory.close()
    with pytest.raises(DataDirectoryError, match="did not come to its end"):
        opened(files)
    NewDirectory.begin(files, "d").close()
    assert (files.list_folders("d"), sorted(files.list_files("d"))) == (
        [],
        [".lock", ".unfinished"],
    )


def test_one_in_use_is_refused(files: MemoryFiles) -> None:
    directory = NewDirectory.begin(files, "d")
    with pytest.raises(DataDirectoryError, match="in use"):
        NewDirectory.begin(files, "d")
    directory.close()


class Overtaken(MemoryFiles):
    """Another process fills the directory, from beginning to end, just before it is locked here."""

    is_overtaken = False

    def lock(self, path: str) -> FileLock:
        if not self.is_overtaken:
            self.is_overtaken = True
            other = NewDirectory.begin(self, "d")
            other.finish(ME, {})
            other.close()
        return super().lock(path)


def test_one_that_another_process_has_just_finished_is_not_emptied() -> None:
    files = Overtaken()
    with pytest.raises(DataDirectoryError, match="has a broker's data already"):
        NewDirectory.begin(files, "d")
    assert opened(files).cluster_id == "cluster"


def test_what_others_have_is_not_touched(files: MemoryFiles) -> None:
    files.make_folder("d/lost+found")
    put(files, "d/mine", b"?")
    with pytest.raises(DataDirectoryError, match="it holds 'mine'"):
        NewDirectory.begin(files, "d")
    assert files.list_files("d") == ["mine"]
    files.remove("d/mine")
    NewDirectory.begin(files, "d").close()
    assert files.list_folders("d") == ["lost+found"]
