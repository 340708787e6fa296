"""Checking one partition's folder, on files in memory."""

from __future__ import annotations

import pytest

from godel.operations.findings import Tally
from godel.operations.partition_check import Expected, PartitionCheck
from godel.records.partition_log import EpochStart
from godel.storage.log_config import LogConfig
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import append_values, open_log, put

FOLDER = "data/topic-0"
TOPIC_ID = bytes(range(16))
COUNT = 60


@pytest.fixture
def files() -> MemoryFiles:
    """A log of several segments, closed at offset 60."""
    files = MemoryFiles()
    log = open_log(files, FOLDER, topic_id=TOPIC_ID)
    log.save_leader_epochs([EpochStart(0, 0)])
    for _ in range(COUNT // 2):
        append_values(log, 2, size=40)
    log.close()
    return files


CLOSED = Expected(TOPIC_ID, 0, True, COUNT, 0, COUNT)
CRASHED = CLOSED._replace(was_clean=False)


def check(files: MemoryFiles, expected: Expected = CLOSED) -> Tally:
    tally = Tally()
    seen: list[int] = []
    PartitionCheck(files, FOLDER, expected, tally=tally, on_progress=seen.append).run()
    assert sum(seen) == tally.size_bytes
    return tally


def log_paths(files: MemoryFiles) -> list[str]:
    return sorted(f"{FOLDER}/{one}" for one in files.list_files(FOLDER) if one.endswith(".log"))


def problems(tally: Tally) -> list[str]:
    return [finding.what for finding in tally.problems()]


def test_a_closed_log_is_sound(files: MemoryFiles) -> None:
    tally = check(files)
    assert (tally.findings, tally.batches) == ([], COUNT // 2)
    assert tally.segments == len(log_paths(files)) > 2


def test_a_closed_log_too_small_for_an_index_is_sound() -> None:
    files = MemoryFiles()
    log = open_log(files, FOLDER, config=LogConfig(), topic_id=TOPIC_ID)
    log.save_leader_epochs([EpochStart(0, 0)])
    append_values(log, 2)
    log.close()
    assert not files.exists(log_paths(files)[0].replace(".log", ".timeindex"))
    assert check(files, CLOSED._replace(recovery_point=2, high_watermark=2)).findings == []


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_flipped_bit_is_found_where_it_is(files: MemoryFiles, number: int) -> None:
    path = log_paths(files)[number]
    data = bytearray(files.read(path))
    data[80] ^= 1
    put(files, path, bytes(data))
    first = next(check(files).problems())
    assert (first.path, first.position) == (path, 0)
    assert "CRC" in first.what


def test_a_torn_end_is_a_problem_after_a_clean_stop_only(files: MemoryFiles) -> None:
    path = log_paths(files)[-1]
    put(files, path, files.read(path) + bytes(30))
    assert problems(check(files))
    tally = check(files, CRASHED)
    assert problems(tally) == []
    assert any("torn end of a crash" in finding.what for finding in tally.findings)


def test_a_torn_end_below_the_recovery_point_is_a_problem(files: MemoryFiles) -> None:
    path = log_paths(files)[-1]
    put(files, path, files.read(path)[:-30])
    assert any("would end" in what for what in problems(check(files, CRASHED)))


def test_damage_before_whole_batches_is_a_problem_even_after_a_crash(files: MemoryFiles) -> None:
    path = log_paths(files)[-1]
    data = bytearray(files.read(path))
    data[70] ^= 1
    put(files, path, bytes(data))
    assert problems(check(files, CRASHED._replace(recovery_point=0)))


@pytest.mark.parametrize("expected", [CLOSED, CRASHED._replace(recovery_point=0)])
def test_a_segment_larger_than_its_indexes_can_say(
    expected: Expected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a crash that is not its torn end."""
    files = MemoryFiles()
    log = open_log(files, FOLDER, topic_id=TOPIC_ID, segment_bytes=1 << 20)
    append_values(log, COUNT - 1)
    append_values(log, 1)
    log.close()
    monkeypatch.setattr("godel.storage.layout.MAX_SEGMENT_BYTES", log.size_bytes - 1)
    assert any("a segment has at most" in what for what in problems(check(files, expected)))


def test_a_leader_epoch_that_the_checkpoint_does_not_have(files: MemoryFiles) -> None:
    put(files, f"{FOLDER}/leader-epoch-checkpoint", b"0\n1\n1 0\n")
    assert problems(check(files)) == [
        "leader epoch 0 is not what the checkpoint has for this offset"
    ]


def test_another_topics_folder(files: MemoryFiles) -> None:
    (what,) = problems(check(files, CLOSED._replace(topic_id=bytes(16))))
    assert "belongs to the topic" in what


def test_what_lies_about_is_named(files: MemoryFiles) -> None:
    names = ("00000000000000000000.log.deleted", "x.corrupt", "stranger", f"{7:020d}.index")
    for name in names:
        put(files, f"{FOLDER}/{name}", b"?")
    tally = check(files)
    assert sorted(one.path.removeprefix(f"{FOLDER}/") for one in tally.findings) == sorted(names)
    assert tally.is_sound


def test_an_overlapping_segment(files: MemoryFiles) -> None:
    path = log_paths(files)[0]
    put(files, f"{FOLDER}/{1:020d}.log", files.read(path))
    assert any("comes again" in what for what in problems(check(files)))


def test_a_log_after_deleted_records_is_sound(files: MemoryFiles) -> None:
    log = open_log(files, FOLDER, was_clean=True, recovery_point=COUNT)
    log.truncate_prefix(31)
    log.save_leader_epochs([EpochStart(0, 31)])
    log.apply_retention(upper_bound=COUNT)
    log.close()
    assert check(files, CLOSED._replace(log_start_offset=31)).is_sound


def test_a_missing_segment_is_found_unless_compaction_may_have_taken_it(files: MemoryFiles) -> None:
    path = log_paths(files)[1]
    for gone in (path, path.replace(".log", ".index"), path.replace(".log", ".timeindex")):
        files.remove(gone)
    behind_gap = int(log_paths(files)[1].rpartition("/")[2][:20])
    assert check(files, CLOSED._replace(compacted_end=behind_gap)).is_sound
    for compacted_end in (0, behind_gap - 1):
        (what,) = problems(check(files, CLOSED._replace(compacted_end=compacted_end)))
        assert "nothing between" in what
