from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from godel.clock import ManualClock, Randomness
from godel.storage.data_directory import DataDirectory, DataDirectoryError
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.files import Files, join
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from godel.types import TopicPartition
from tests.storage.harness import NOW_MS, append_values, open_log, put

PARTITION = TopicPartition("topic", 0)
TOPIC_ID, OTHER_ID = bytes(range(16)), bytes(range(16, 32))


def open_directory(
    files: Files,
    path: str = "data",
    *,
    clock: ManualClock | None = None,
    node_id: int | None = None,
    cluster_id: str | None = None,
) -> DataDirectory:
    return DataDirectory.open(
        path,
        files=files,
        clock=clock or ManualClock(NOW_MS),
        randomness=Randomness(1),
        node_id=node_id,
        cluster_id=cluster_id,
    )


def open_partition(directory: DataDirectory, partition: TopicPartition = PARTITION) -> Log:
    return open_log(
        directory.files,
        directory.partition_folder(partition, TOPIC_ID),
        topic_id=TOPIC_ID,
        was_clean=directory.was_clean,
        recovery_point=directory.positions.recovery_points.get(partition, 0),
        log_start_offset=directory.positions.log_starts.get(partition, 0),
    )


def test_a_new_directory_gets_an_identity_and_keeps_it() -> None:
    files = MemoryFiles()
    directory = open_directory(files, "some/where/data", node_id=3)
    assert directory.is_new
    assert directory.was_clean
    marker = json.loads(files.read("some/where/data/godel.json"))
    assert marker == {"format_version": 1, "cluster_id": directory.cluster_id, "node_id": 3}
    properties = files.read("some/where/data/meta.properties").decode().splitlines()
    assert properties[:3] == ["version=1", f"cluster.id={directory.cluster_id}", "node.id=3"]
    assert len(properties[3]) == len("directory.id=") + 22
    directory.close({}, {})
    again = open_directory(files, "some/where/data")
    assert not again.is_new
    assert (again.cluster_id, again.node_id) == (directory.cluster_id, 3)
    assert again.directory_id == directory.directory_id


@pytest.mark.parametrize("real", [True, False])
def test_one_broker_at_a_time(real: bool, tmp_path: Path) -> None:
    files: Files = RealFiles() if real else MemoryFiles()
    path = str(tmp_path / "data") if real else "data"
    directory = open_directory(files, path)
    with pytest.raises(DataDirectoryError, match="in use by another broker"):
        open_directory(files, path)
    directory.close({}, {})
    open_directory(files, path).close({}, {})


def test_a_kafka_directory_is_refused_with_a_hint() -> None:
    files = MemoryFiles()
    files.make_folder("data")
    put(files, "data/meta.properties", b"version=1\n")
    with pytest.raises(DataDirectoryError, match="godel-broker import"):
        open_directory(files)
    assert files.list_files("data") == ["meta.properties"]


@pytest.mark.parametrize("left", ["metadata.sqlite", "log-end-checkpoint"])
def test_a_directory_that_has_lost_its_mark_is_not_taken_for_kafkas(left: str) -> None:
    files = MemoryFiles()
    open_directory(files).close({}, {})
    put(files, f"data/{left}", b"")
    files.remove("data/godel.json")
    with pytest.raises(DataDirectoryError, match=r"data/godel\.json is missing; restore it"):
        open_directory(files)


def test_a_foreign_directory_is_refused_and_untouched() -> None:
    files = MemoryFiles()
    files.make_folder("data/photos")
    with pytest.raises(DataDirectoryError, match=r"not empty.*'photos'"):
        open_directory(files)
    assert files.list_files("data") == []


def test_an_empty_mount_point_is_fine() -> None:
    files = MemoryFiles()
    files.make_folder("data/lost+found")
    assert open_directory(files).problems == []


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"format_version": "1", "cluster_id": "x", "node_id": 1}', b"\xff"]
)
def test_a_damaged_marker(text: bytes) -> None:
    files = MemoryFiles()
    open_directory(files).close({}, {})
    put(files, "data/godel.json", text)
    with pytest.raises(DataDirectoryError, match=r"godel\.json is damaged"):
        open_directory(files)


@pytest.mark.parametrize("text", [b"", b"version=1\ncluster.id=other\nnode.id=1\n", b"\xff\xfe"])
def test_damaged_properties(text: bytes) -> None:
    files = MemoryFiles()
    open_directory(files).close({}, {})
    put(files, "data/meta.properties", text)
    with pytest.raises(DataDirectoryError, match=r"meta\.properties is damaged"):
        open_directory(files)


def test_a_newer_format_is_refused() -> None:
    files = MemoryFiles()
    open_directory(files).close({}, {})
    put(files, "data/godel.json", b'{"format_version": 2, "cluster_id": "x", "node_id": 1}')
    with pytest.raises(DataDirectoryError, match=r"format 2.*newer release"):
        open_directory(files)


def test_another_identity_is_refused() -> None:
    files = MemoryFiles()
    open_directory(files, node_id=1, cluster_id="mine").close({}, {})
    with pytest.raises(DataDirectoryError, match=r"node\.id 1, not to 2"):
        open_directory(files, node_id=2)
    with pytest.raises(DataDirectoryError, match=r"cluster\.id mine, not to yours"):
        open_directory(files, cluster_id="yours")
    open_directory(files, node_id=1, cluster_id="mine")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_real_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataDirectoryError, match=r"Permission denied.*check its permissions"):
        open_directory(RealFiles(), str(tmp_path / "data"))


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(DataDirectoryError, match="cannot open the data directory"):
            open_directory(RealFiles(), str(path))


def test_a_disk_that_fails_at_any_operation_of_the_start() -> None:
    count = FaultyFiles()
    open_directory(count)
    for number in range(1, count.operations + 1):
        files = FaultyFiles()
        files.fail(lambda operation, number=number: operation.number == number)  # type: ignore[misc] # bound
        with pytest.raises(DataDirectoryError, match="disk is writable"):
            open_directory(files)
        files.faults = None
        open_directory(files)


def test_a_clean_stop_and_an_unclean_one() -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    log = open_partition(directory)
    append_values(log, 5)
    log.truncate_prefix(2)
    assert directory.close({PARTITION: log}, {PARTITION: 5})
    assert files.read("data/recovery-point-offset-checkpoint") == b"0\n1\ntopic 0 5\n"
    assert files.read("data/log-start-offset-checkpoint") == b"0\n1\ntopic 0 2\n"
    assert files.read("data/replication-offset-checkpoint") == b"0\n1\ntopic 0 5\n"

    directory = open_directory(files)
    assert directory.was_clean
    assert not files.exists("data/.kafka_cleanshutdown")
    log = open_partition(directory)
    assert (log.log_start_offset, log.end_offset) == (2, 5)
    assert not log.recovery_report.was_checked
    assert directory.positions.high_watermarks == {PARTITION: 5}
    append_values(log, 1)
    files.file_node("data/.lock", create=False).is_locked = False

    directory = open_directory(files)
    assert not directory.was_clean
    log = open_partition(directory)
    assert log.recovery_report.was_checked
    assert log.end_offset == 6


def test_after_an_unclean_start_a_log_that_was_not_opened_keeps_the_stop_from_being_clean() -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    append_values(open_partition(directory), 5)
    files.file_node("data/.lock", create=False).is_locked = False
    directory = open_directory(files)
    assert not directory.close({}, {})
    directory = open_directory(files)
    assert not directory.was_clean
    log = open_partition(directory)
    assert log.end_offset == 5
    assert directory.close({PARTITION: log}, {})


def test_a_log_that_fails_to_close_keeps_the_stop_from_being_clean() -> None:
    files = FaultyFiles()
    directory = open_directory(files)
    log = open_partition(directory)
    append_values(log, 1)
    files.fail(lambda operation: operation.kind is Kind.SYNC and operation.path.endswith(".log"))
    assert not directory.close({PARTITION: log}, {})
    files.faults = None
    assert not open_directory(files).was_clean


def test_a_damaged_checkpoint_has_everything_checked() -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    log = open_partition(directory)
    append_values(log, 5)
    directory.close({PARTITION: log}, {})
    put(files, "data/recovery-point-offset-checkpoint", b"0\n9\n")
    directory = open_directory(files)
    assert not directory.was_clean
    assert "recovery-point" in directory.problems[0]
    assert open_partition(directory).end_offset == 5


@pytest.mark.parametrize("change", ["shorter", "longer", "no file", "no folder"])
def test_a_log_that_has_changed_since_a_clean_stop_makes_the_start_unclean(change: str) -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    log, other = open_partition(directory), TopicPartition("topic", 1)
    append_values(log, 5)
    logs = {PARTITION: log, other: open_partition(directory, other)}
    directory.close(logs, {})
    path = log.segments[-1].file.path
    if change == "no folder":
        files.remove_folder(log.folder)
    elif change == "no file":
        files.remove(path)
    else:
        files.open(path).truncate(10)
        if change == "longer":
            files.open(path).append((bytes(1000),), 1000)
    directory = open_directory(files)
    assert not directory.was_clean
    (problem,) = directory.problems
    assert problem.startswith(
        "logs in data that do not end where the last stop has left them: 1 (the first: topic-0)"
    )
    assert "topic-0" in problem


def test_checkpoints_keep_what_is_known_of_logs_not_opened() -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    first, second = TopicPartition("a", 0), TopicPartition("b", 0)
    logs = {partition: open_partition(directory, partition) for partition in (first, second)}
    for log in logs.values():
        append_values(log, 3)
    directory.close(logs, {first: 3, second: 3})
    directory = open_directory(files)
    log = open_partition(directory, first)
    append_values(log, 1)
    assert directory.close({first: log}, {first: 4})
    directory = open_directory(files)
    assert directory.positions.recovery_points == {first: 4, second: 3}
    assert open_partition(directory, second).end_offset == 3


def test_deleting_a_partition() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    directory = open_directory(files, clock=clock)
    log = open_partition(directory)
    append_values(log, 5)
    directory.positions.note({PARTITION: log}, {PARTITION: 5})
    directory.positions.write().result()
    log.abandon("deleted")
    directory.delete_partition(PARTITION, delay_ms=1000)
    assert list(directory.partitions) == []
    assert [name for name in files.list_folders("data") if name.endswith("-delete")]
    directory.delete_partition(PARTITION, delay_ms=1000)
    log = open_partition(directory)
    assert log.end_offset == 0
    directory.positions.note({PARTITION: log}, {})
    directory.positions.write().result()
    assert directory.positions.high_watermarks == {}
    clock.advance(1000)
    assert files.list_folders("data") == ["topic-0"]


def test_what_the_last_run_left_is_removed_and_strangers_are_named() -> None:
    files = MemoryFiles()
    open_directory(files).close({}, {})
    files.make_folder(f"data/topic-0.{'0' * 32}-delete")
    files.make_folder("data/holiday")
    clock = ManualClock(NOW_MS)
    directory = open_directory(files, clock=clock)
    directory.remove_deleted(delay_ms=1000)
    clock.advance(999)
    assert len(files.list_folders("data")) == 2
    clock.advance(1)
    assert files.list_folders("data") == ["holiday"]
    assert directory.problems == ["the folder data/holiday is left alone"]


def test_a_folder_of_another_topic_is_set_aside() -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    log = open_partition(directory)
    append_values(log, 5)
    directory.positions.note({PARTITION: log}, {PARTITION: 5})
    directory.positions.write().result()
    log.abandon("test")
    folder = directory.partition_folder(PARTITION, OTHER_ID)
    assert not files.exists(folder)
    assert "now data/topic-0." in directory.problems[0]
    assert directory.positions.recovery_points == {}
    stray = next(name for name in files.list_folders("data") if name.endswith("-stray"))
    assert f"{0:020d}.log" in files.list_files(join("data", stray))


def test_how_far_logs_are_compacted_is_remembered_and_forgotten_with_them() -> None:
    files = MemoryFiles()
    directory = open_directory(files)
    for number in range(2):
        files.make_folder(f"data/t-{number}")
        directory.positions.note_clean(TopicPartition("t", number), 5 + number)
    directory.positions.write().result()
    assert files.read("data/cleaner-offset-checkpoint") == b"0\n2\nt 0 5\nt 1 6\n"
    directory.delete_partition(TopicPartition("t", 0), delay_ms=0)
    directory.close({}, {})
    directory = open_directory(files)
    assert directory.positions.clean_offsets == {TopicPartition("t", 1): 6}
    directory.close({}, {})
    put(files, "data/cleaner-offset-checkpoint", b"")
    directory = open_directory(files)
    assert directory.positions.clean_offsets == {}
    assert directory.was_clean
    assert "cleaner-offset-checkpoint" in directory.problems[0]
