"""Copying partitions of a broker that goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from godel.operations.findings import Finding
from godel.operations.gathering import ATTEMPTS, Source, copy_partition, judge, read_checkpoint
from godel.storage.data_directory import DataDirectoryError
from godel.storage.memory_files import MemoryFiles
from godel.storage.recovery import Cut, RecoveryReport
from godel.storage.recovery_run import RecoveredLog
from godel.types import TopicPartition
from tests.storage.harness import append_values, open_log, put

SOURCE, TARGET = "data/t-0", "copy/t-0"


@pytest.fixture
def files() -> MemoryFiles:
    """A log of several segments."""
    files = MemoryFiles()
    log = open_log(files, SOURCE, topic_id=bytes(16))
    for _ in range(30):
        append_values(log, 2, size=60)
    log.close()
    return files


def logs(files: MemoryFiles, folder: str) -> dict[str, bytes]:
    names = [name for name in files.list_files(folder) if name.endswith(".log")]
    return {name: files.read(f"{folder}/{name}") for name in sorted(names)}


def while_copying(files: MemoryFiles, meddle: Callable[[], None], *, times: int = 1) -> bool:
    """Copy, and do something after the first file, `times` times."""
    done = 0

    def on_progress(_size: int) -> None:
        nonlocal done
        if done < times:
            done += 1
            meddle()

    return copy_partition(files, SOURCE, TARGET, on_progress)


def test_what_can_be_derived_is_not_copied(files: MemoryFiles) -> None:
    put(files, f"{SOURCE}/{0:020d}.log.deleted", b"?")
    put(files, f"{SOURCE}/x.corrupt", b"?")
    assert copy_partition(files, SOURCE, TARGET, lambda _size: None)
    assert logs(files, TARGET) == logs(files, SOURCE)
    endings = {name.rpartition(".")[2] for name in files.list_files(TARGET)}
    assert endings == {"log", "metadata"}


def test_retention_may_take_segments_meanwhile(files: MemoryFiles) -> None:
    first, second, *_ = logs(files, SOURCE)

    def delete() -> None:
        files.remove(f"{SOURCE}/{first}")
        files.remove(f"{SOURCE}/{second}")

    assert while_copying(files, delete)
    assert logs(files, TARGET) == logs(files, SOURCE)


def test_a_compacted_copy_may_take_the_place_of_segments_meanwhile(files: MemoryFiles) -> None:
    first, second, *_ = logs(files, SOURCE)

    def merge() -> None:
        put(files, f"{SOURCE}/{first}", files.read(f"{SOURCE}/{first}")[:99])
        files.remove(f"{SOURCE}/{second}")

    assert while_copying(files, merge)
    assert logs(files, TARGET) == logs(files, SOURCE)


def test_a_log_may_grow_meanwhile(files: MemoryFiles) -> None:
    last = list(logs(files, SOURCE))[-1]
    copied = []

    def append() -> None:
        copied.append(1)
        put(files, f"{SOURCE}/{last}", files.read(f"{SOURCE}/{last}") + b"more")
        put(files, f"{SOURCE}/{999:020d}.log", b"a new segment")

    assert while_copying(files, append)
    assert f"{999:020d}.log" not in logs(files, TARGET)


def test_a_swap_under_way_is_waited_for(files: MemoryFiles) -> None:
    swap = f"{SOURCE}/{0:020d}.log.swap"
    assert while_copying(files, lambda: put(files, swap, b"?"))
    assert files.exists(swap.replace(SOURCE, TARGET))
    files.remove_folder(TARGET)
    assert while_copying(files, lambda: files.remove(swap))
    assert not files.exists(swap.replace(SOURCE, TARGET))


def test_the_first_half_of_a_split_does_not_count(files: MemoryFiles) -> None:
    for name in (f"{10:020d}.log.swap", f"{5:020d}.log.cleaned", f"{0:020d}.log.swap"):
        put(files, f"{SOURCE}/{name}", b"?")
    assert copy_partition(files, SOURCE, TARGET, lambda _size: None)
    swaps = [name for name in files.list_files(TARGET) if name.endswith(".swap")]
    assert swaps == [f"{0:020d}.log.swap"]


def test_a_partition_may_be_deleted_meanwhile(files: MemoryFiles) -> None:
    assert not while_copying(files, lambda: files.remove_folder(SOURCE))
    assert not files.exists(TARGET)
    assert not copy_partition(files, SOURCE, TARGET, lambda _size: None)


def test_one_that_never_keeps_still_is_given_up(files: MemoryFiles) -> None:
    first = f"{SOURCE}/{0:020d}.log"

    def change() -> None:
        put(files, first, files.read(first)[:-1])

    with pytest.raises(DataDirectoryError, match="does not keep still"):
        while_copying(files, change, times=1000)
    assert ATTEMPTS < 1000
    assert not files.exists(TARGET)


def judged(**changes: object) -> list[Finding]:
    cut = Cut(7, "copy/t-0/0.log", 300, "wrong CRC", 50, ())._replace(**changes)
    log = RecoveredLog(TopicPartition("t", 0), 7, 7, RecoveryReport(cut=cut))
    return list(judge(log, Source(SOURCE, 0, 7)))


def test_what_is_said_of_the_original() -> None:
    assert [str(one) for one in judged()] == [
        "note: data/t-0/0.log at 300: wrong CRC; the copy ends at offset 7 "
        "(the torn end of a crash)"
    ]
    (found,) = judged(aside=("copy/t-0/x.corrupt",))
    assert found.is_problem
    assert found.what.endswith("what followed is kept in copy/t-0/x.corrupt")


def test_missing_records_are_a_problem() -> None:
    log = RecoveredLog(TopicPartition("t", 0), 5, 5, RecoveryReport())
    (found,) = judge(log, Source(SOURCE, 0, 9))
    assert found.is_problem
    assert "up to offset 9, the copy ends at 5" in found.what
    assert list(judge(log, Source(SOURCE, 0, 5))) == []


def test_a_damaged_checkpoint_is_named(files: MemoryFiles) -> None:
    put(files, "data/c", b"?")
    with pytest.raises(DataDirectoryError, match="data/c"):
        read_checkpoint(files, "data/c")
