from __future__ import annotations

import errno

import pytest

from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.files import Files
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.storage.positions import Positions
from godel.storage.recovery_run import RecoveredLog
from godel.types import TopicPartition
from tests.storage.harness import append_values, open_log, put

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


def read(files: Files) -> tuple[Positions, list[str], bool]:
    positions, problems = Positions(files, "data"), list[str]()
    is_sound = positions.read(problems)
    return positions, problems, is_sound


def a_log(files: Files, partition: TopicPartition, count: int) -> Log:
    log = open_log(files, f"data/{partition.topic}-{partition.partition}")
    append_values(log, count)
    log.flush()
    return log


def test_what_is_known_of_logs_not_opened_is_written_again() -> None:
    files = MemoryFiles()
    positions, _, _ = read(files)
    logs = {one: a_log(files, one, 3) for one in (FIRST, SECOND)}
    logs[FIRST].truncate_prefix(2)
    positions.note(logs, {FIRST: 3, SECOND: 2})
    positions.write().result()
    positions, problems, is_sound = read(files)
    assert (problems, is_sound) == ([], True)
    assert positions.partitions() == {FIRST, SECOND}
    append_values(logs[SECOND], 1)
    logs[SECOND].flush()
    positions.note({SECOND: logs[SECOND]}, {SECOND: 4})
    positions.write().result()
    positions, _, _ = read(files)
    assert positions.recovery_points == {FIRST: 3, SECOND: 4}
    assert positions.log_starts == {FIRST: 2}
    assert positions.high_watermarks == {FIRST: 3, SECOND: 4}


@pytest.mark.parametrize(
    ("name", "is_sound", "consequence"),
    [
        ("recovery-point-offset-checkpoint", False, "every log is checked"),
        ("log-start-offset-checkpoint", False, "every log is checked"),
        ("replication-offset-checkpoint", False, "every log is checked"),
        ("cleaner-offset-checkpoint", True, "not compacted"),
        ("log-end-checkpoint", True, "no log counts as unchanged"),
    ],
)
def test_damage_is_named_with_what_it_leads_to(name: str, is_sound: bool, consequence: str) -> None:
    files = MemoryFiles()
    files.make_folder("data")
    put(files, f"data/{name}", b"0\n9\n")
    _, problems, found = read(files)
    assert found is is_sound
    assert len(problems) == 1
    assert name in problems[0]
    assert consequence in problems[0]


def test_files_that_name_what_is_gone_are_written_before_a_successor_begins() -> None:
    files = MemoryFiles()
    positions, _, _ = read(files)
    positions.note({FIRST: a_log(files, FIRST, 3)}, {})
    positions.write().result()
    positions.forget(SECOND)
    assert not positions.are_stale
    positions.forget(FIRST)
    assert positions.are_stale
    positions.write_if_stale()
    assert not positions.are_stale
    assert read(files)[0].partitions() == set()


def test_they_stay_stale_while_they_cannot_be_written() -> None:
    files = FaultyFiles()
    files.make_folder("data")
    positions, _, _ = read(files)
    positions.note_clean(FIRST, 5)
    positions.forget(FIRST)
    files.fail(lambda operation: operation.kind is Kind.APPEND, error=errno.ENOSPC)
    with pytest.raises(OSError, match="injected"):
        positions.write_if_stale()
    assert positions.are_stale
    files.faults = None
    positions.write_if_stale()
    assert read(files)[0].clean_offsets == {}


def test_ends_that_recovery_has_found_otherwise_do_not_stay_on_a_full_disk() -> None:
    files = FaultyFiles()
    positions, _, _ = read(files)
    log = a_log(files, FIRST, 3)
    log.durability.finish()
    log.flush()
    log.durability.settled(3)
    positions.note({FIRST: log}, {})
    positions.write().result()
    assert positions.ends[FIRST].offset == 3
    files.fail(lambda operation: operation.kind is Kind.APPEND, error=errno.ENOSPC)
    with pytest.raises(OSError, match="injected"):
        positions.note_recovered([RecoveredLog(FIRST, 2, 2, log.recovery_report)])
    assert not files.exists("data/log-end-checkpoint")
    assert positions.checked_ends == {FIRST: 2}


def test_a_log_that_comes_from_elsewhere_is_known_before_it_is_there() -> None:
    files = MemoryFiles()
    for folder in ("source", "data"):
        files.make_folder(folder)
    source, target = Positions(files, "source"), Positions(files, "data")
    source.note_clean(FIRST, 1)
    log = a_log(files, FIRST, 3)
    log.truncate_prefix(1)
    target.take_over(FIRST, log, source)
    found, _, _ = read(files)
    assert (found.recovery_points, found.log_starts) == ({FIRST: 3}, {FIRST: 1})
    assert found.clean_offsets == {FIRST: 1}
    assert target.checked_ends == {FIRST: 3}
