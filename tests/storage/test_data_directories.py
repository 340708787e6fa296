from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from godel.clock import ManualClock, Randomness
from godel.storage.data_directories import AllDirectoriesFailed, DataDirectories
from godel.storage.data_directory import DataDirectoryError, DirectoryUnavailable
from godel.storage.faulty_files import FaultyFiles
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from godel.types import TopicPartition
from tests.storage.harness import NOW_MS, append_values, open_log, put

TOPIC_ID, OTHER_ID = bytes(range(16)), bytes(range(16, 32))
PARTITIONS = [TopicPartition("t", number) for number in range(4)]


def open_all(
    files: MemoryFiles | RealFiles, *paths: str, metadata_path: str | None = None, seed: int = 1
) -> DataDirectories:
    return DataDirectories.open(
        paths or ("a", "b"),
        metadata_path=metadata_path,
        files=files,
        clock=ManualClock(NOW_MS),
        randomness=Randomness(seed),
    )


def make_partition(
    directories: DataDirectories, partition: TopicPartition, topic_id: bytes = TOPIC_ID
) -> str:
    """Make a partition's folder where it belongs; return its directory."""
    home = directories.home(partition)
    log = open_log(directories.files, home.partition_folder(partition, topic_id), topic_id=topic_id)
    append_values(log, 1)
    log.close()
    return home.path


def lose(files: MemoryFiles, path: str) -> None:
    """Unmount a disk: what is left is the empty mount point."""
    files.remove_folder(path)
    files.make_folder(path)


def test_new_partitions_go_where_there_are_fewest_and_stay_there() -> None:
    files = MemoryFiles()
    directories = open_all(files, "a", "b", "c")
    homes = [make_partition(directories, partition) for partition in PARTITIONS]
    assert homes == ["a", "b", "c", "a"]
    directories.delete(PARTITIONS[1], delay_ms=0)
    assert make_partition(directories, TopicPartition("u", 0)) == "b"
    directories.close({}, {})
    again = open_all(files, "c", "b", "a", metadata_path="a")
    assert [again.home(partition).path for partition in PARTITIONS[2:]] == ["c", "a"]
    assert PARTITIONS[0] in again
    assert PARTITIONS[1] not in again


def test_each_has_its_own_identity_and_the_clusters() -> None:
    files = MemoryFiles()
    directories = open_all(files)
    a, b = directories.working
    assert (a.cluster_id, a.node_id) == (b.cluster_id, b.node_id)
    assert a.directory_id != b.directory_id
    marker = json.loads(files.read("a/godel.json"))
    assert sorted(marker["directories"].values()) == ["a", "b"]
    assert "directories" not in json.loads(files.read("b/godel.json"))


def test_one_directory_keeps_no_list_until_there_is_a_second() -> None:
    files = MemoryFiles()
    open_all(files, "a").close({}, {})
    assert "directories" not in json.loads(files.read("a/godel.json"))
    open_all(files, "a", "b").close({}, {})
    assert len(json.loads(files.read("a/godel.json"))["directories"]) == 2


def test_directories_of_two_clusters_are_refused() -> None:
    files = MemoryFiles()
    open_all(files, "a", seed=1).close({}, {})
    open_all(files, "b", seed=2).close({}, {})
    with pytest.raises(DataDirectoryError, match=r"b belongs to cluster\.id .*, not to "):
        open_all(files)
    open_all(files, "a").close({}, {})


def test_a_directory_named_twice_or_copied_is_refused() -> None:
    files = MemoryFiles()
    with pytest.raises(DataDirectoryError, match="named twice"):
        open_all(files, "a", "./a")
    open_all(files).close({}, {})
    put(files, "b/meta.properties", files.read("a/meta.properties"))
    with pytest.raises(DataDirectoryError, match="b is a copy of a"):
        open_all(files)


def test_a_directory_that_is_left_out_of_the_list_is_missed() -> None:
    files = MemoryFiles()
    open_all(files).close({}, {})
    with pytest.raises(
        DataDirectoryError, match=r"log\.dirs does not name b any more.*godel\.json"
    ):
        open_all(files, "a")
    marker = json.loads(files.read("a/godel.json"))
    marker["directories"] = {id: path for id, path in marker["directories"].items() if path != "b"}
    put(files, "a/godel.json", json.dumps(marker).encode())
    assert open_all(files, "a").failures == {}


def test_a_directory_may_move() -> None:
    files = MemoryFiles()
    open_all(files).close({}, {})
    files.replace("b", "c")
    directories = open_all(files, "a", "c")
    assert directories.failures == {}
    assert sorted(directories.metadata.known.values()) == ["a", "c"]


@pytest.mark.parametrize("is_mount_point_there", [True, False])
def test_a_disk_that_is_not_mounted_is_offline_with_its_partitions(
    is_mount_point_there: bool,
) -> None:
    files = MemoryFiles()
    directories = open_all(files)
    for partition in PARTITIONS:
        make_partition(directories, partition)
    directories.close({}, {})
    files.replace("b", "elsewhere")
    if is_mount_point_there:
        files.make_folder("b")
    directories = open_all(files)
    assert "is the disk mounted?" in directories.failures["b"]
    directories.set_aside_strays(dict.fromkeys(PARTITIONS, TOPIC_ID))
    assert set(directories.offline) == {PARTITIONS[1], PARTITIONS[3]}
    with pytest.raises(DirectoryUnavailable, match="given up, remove it from"):
        directories.home(PARTITIONS[1])
    assert directories.home(TopicPartition("new", 0)).path == "a"
    assert not files.exists("b/godel.json")
    directories.close({}, {})
    if is_mount_point_there:
        files.remove_folder("b")
    files.replace("elsewhere", "b")
    directories = open_all(files)
    assert directories.failures == {}
    assert [directories.home(partition).path for partition in PARTITIONS] == ["a", "b"] * 2


def test_a_directory_that_the_disk_refuses_at_the_start_is_offline(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    directories = open_all(RealFiles(), str(tmp_path / "a"), str(tmp_path / "b"))
    assert list(directories.failures) == [str(tmp_path / "b")]
    directories.close({}, {})
    with pytest.raises(DirectoryUnavailable, match="cannot open"):
        open_all(RealFiles(), str(tmp_path / "b"), str(tmp_path / "a"))
    open_all(RealFiles(), str(tmp_path / "a")).close({}, {})


def test_a_topic_that_is_made_again_does_not_wait_for_the_lost_one() -> None:
    files = MemoryFiles()
    directories = open_all(files)
    for partition in PARTITIONS[:2]:
        make_partition(directories, partition)
    directories.close({}, {})
    files.replace("b", "elsewhere")
    directories = open_all(files)
    directories.set_aside_strays(dict.fromkeys(PARTITIONS[:2], TOPIC_ID))
    directories.delete(PARTITIONS[1], delay_ms=0)
    assert make_partition(directories, PARTITIONS[1], OTHER_ID) == "a"
    directories.close({}, {})
    files.replace("elsewhere", "b")
    directories = open_all(files)
    directories.set_aside_strays({PARTITIONS[0]: TOPIC_ID, PARTITIONS[1]: OTHER_ID})
    assert directories.home(PARTITIONS[1]).path == "a"
    assert directories.offline == {}
    assert [name for name in files.list_folders("b") if name.endswith("-stray")]


def test_two_copies_of_one_partition_are_not_served() -> None:
    files = MemoryFiles()
    directories = open_all(files)
    make_partition(directories, PARTITIONS[0])
    directories.close({}, {})
    open_log(files, "b/t-0", topic_id=TOPIC_ID).close()
    directories = open_all(files)
    directories.set_aside_strays({PARTITIONS[0]: TOPIC_ID})
    with pytest.raises(DirectoryUnavailable, match="a and b both have a folder for t-0"):
        directories.home(PARTITIONS[0])


def test_a_failed_directory_loses_its_partitions_and_no_others() -> None:
    files = FaultyFiles()
    directories = open_all(files)
    for partition in PARTITIONS:
        make_partition(directories, partition)
    untouched = [TopicPartition("untouched", number) for number in range(2)]
    assert [directories.home(partition).path for partition in untouched] == ["a", "b"]
    lost = directories.fail(directories.working[1], "it burns")
    assert lost == [PARTITIONS[1], PARTITIONS[3]]
    assert directories.home(PARTITIONS[0]).path == "a"
    assert [directories.home(partition).path for partition in untouched] == ["a", "a"]
    with pytest.raises(DirectoryUnavailable, match="it burns"):
        directories.home(PARTITIONS[1])
    assert directories.close({}, {})
    assert not open_all(files).was_clean


def test_without_the_metadata_there_is_no_broker() -> None:
    directories = open_all(MemoryFiles(), metadata_path="b")
    with pytest.raises(AllDirectoriesFailed, match="the metadata log dir b has failed: gone"):
        directories.fail(directories.metadata, "gone")
    directories = open_all(MemoryFiles(), "a")
    with pytest.raises(AllDirectoriesFailed, match="because all log dirs in a have failed"):
        directories.fail(directories.metadata, "gone")


def test_the_metadata_are_found_where_they_were() -> None:
    files = MemoryFiles()
    directories = open_all(files)
    assert directories.metadata_file() == "a/metadata.sqlite"
    put(files, "a/metadata.sqlite", b"x")
    make_partition(directories, PARTITIONS[0])
    directories.close({}, {})
    directories = open_all(files, metadata_path="b")
    with pytest.raises(DataDirectoryError, match=r"the metadata are in a, not in b; name a first"):
        directories.metadata_file()
    directories.close({}, {})
    files.remove("a/metadata.sqlite")
    with pytest.raises(DataDirectoryError, match=r"a/metadata\.sqlite is missing"):
        open_all(files).metadata_file()


def test_a_disk_is_tried_by_writing_to_it() -> None:
    files = FaultyFiles()
    directory = open_all(files).working[1]
    directory.probe(files)
    assert ".probe" not in files.list_files("b")
    files.fail(lambda operation: operation.path.startswith("b/"), error=errno.EROFS)
    with pytest.raises(OSError, match="injected"):
        directory.probe(files)
    files.faults = None
    lose(files, "b")
    with pytest.raises(FileNotFoundError):
        directory.probe(files)
