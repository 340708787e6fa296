from __future__ import annotations

from godel.storage.faulty_files import FaultyFiles
from godel.storage.folders import batches_size, make_durable_folder, sorted_folders
from godel.storage.layout import MovingFolder
from godel.storage.memory_files import MemoryFiles
from godel.types import TopicPartition
from tests.storage.harness import put

UNIQUE = "0123456789abcdef" * 2


def test_a_folder_is_what_its_name_says() -> None:
    partition = TopicPartition("a.b-c", 3)
    found = sorted_folders(
        [
            "a.b-c-3",
            f"a.b-c-3.{UNIQUE}-future",
            f"a.b-c-3.{UNIQUE}-moved",
            f"a.b-c-3.{UNIQUE}-delete",
            f"a.b-c-3.{UNIQUE}-stray",
            f"a.b-c.{UNIQUE}-future",
            "holiday",
        ]
    )
    assert found.partitions == {partition}
    assert found.moving == [MovingFolder(partition, UNIQUE, future) for future in (True, False)]
    assert [move.name for move in found.moving] == [
        f"a.b-c-3.{UNIQUE}-{kind}" for kind in ("future", "moved")
    ]
    assert found.moving[0].other == found.moving[1]
    assert found.deleted == [f"a.b-c-3.{UNIQUE}-delete"]
    assert found.strays == [f"a.b-c-3.{UNIQUE}-stray"]
    assert found.strangers == [f"a.b-c.{UNIQUE}-future", "holiday"]


def test_only_batches_count() -> None:
    files = MemoryFiles()
    assert batches_size(files, "t-0") == 0
    files.make_folder("t-0")
    put(files, "t-0/00000000000000000000.log", b"12345")
    put(files, "t-0/00000000000000000000.index", b"123")
    put(files, "t-0/00000000000000000007.log.deleted", b"123")
    assert batches_size(files, "t-0") == 5


def test_a_folder_that_was_made_survives_a_power_cut() -> None:
    files = FaultyFiles()
    make_durable_folder(files, "some/where/data")
    make_durable_folder(files, "some/where/data")
    assert files.after_crash().exists("some/where/data")
