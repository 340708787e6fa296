from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.errors import CorruptBatch
from godel.records.partition_log import EpochStart, ProducerEntry
from godel.storage import recovery
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import (
    NOW_MS,
    SMALL_SEGMENTS,
    append,
    append_values,
    batch_of,
    open_log,
    put,
    read_records,
    says_own_offset,
)

FOLDER = "data/topic-0"


def written(batches: int, *, size: int = 90, **changes: object) -> tuple[MemoryFiles, Log]:
    """A log of one-record batches, its indexes and all, as a killed process leaves it."""
    files = MemoryFiles()
    log = open_log(files, **changes)
    for _ in range(batches):
        append_values(log, 1, size=size)
    return files, log


def damage(files: MemoryFiles, path: str, change: Callable[[bytearray], None]) -> None:
    change(files.file_node(path, create=False).data)


def flip(at: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at] ^= 0x10

    return change


def shorten(size_bytes: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        del data[size_bytes:]

    return change


def aside_files(files: MemoryFiles) -> list[str]:
    return sorted(name for name in files.list_files(FOLDER) if name.endswith(".corrupt"))


@pytest.mark.parametrize("missing", [1, 60, 100, 150])
def test_a_torn_tail_is_cut(missing: int) -> None:
    files, log = written(5)
    path = log.segments[0].file.path
    size_bytes = files.size(path)
    damage(files, path, lambda data: data.__delitem__(slice(-missing, None)))
    log = open_log(files)
    assert log.end_offset == 4
    cut = log.recovery_report.cut
    assert cut is not None
    assert (cut.offset, cut.aside) == (4, ())
    assert cut.cut_bytes == size_bytes - cut.position - missing
    assert aside_files(files) == []
    append_values(log, 2)
    assert says_own_offset(read_records(log), 0, 6)


def test_zeros_at_the_end_are_cut() -> None:
    files, log = written(3)
    damage(files, log.segments[0].file.path, lambda data: data.extend(bytes(5000)))
    log = open_log(files)
    assert log.end_offset == 3
    assert aside_files(files) == []


def test_what_stands_behind_a_corrupt_batch_is_kept_aside() -> None:
    files, log = written(30)
    assert len(log.segments) > 3
    second = log.segments[1]
    before = files.read(second.file.path)
    at = next(batch for batch in second.walk() if batch.base_offset == second.base_offset + 2)
    damage(files, second.file.path, flip(at.position + 100))
    log = open_log(files)
    assert log.end_offset == at.base_offset
    cut = log.recovery_report.cut
    assert cut is not None
    assert "CRC" in cut.reason
    assert len(cut.aside) == len(aside_files(files)) > 2
    kept = files.read(cut.aside[0])
    assert kept[:100] == before[at.position : at.position + 100]
    assert len(kept) == len(before) - at.position
    append_values(log, 1)
    assert says_own_offset(read_records(log), 0, at.base_offset + 1)
    log.close()
    log = open_log(files, was_clean=True, recovery_point=log.end_offset)
    assert log.end_offset == at.base_offset + 1


@given(at=st.integers(0, 150 * 8 - 1))
def test_a_flipped_bit_is_found_wherever_it_is(at: int) -> None:
    files, log = written(8)
    path = log.segments[0].file.path
    data = files.read(path)
    at %= len(data)
    batch = [one for one in log.segments[0].walk() if one.position <= at][-1]
    damage(files, path, flip(at))
    log = open_log(files)
    field = at - batch.position
    if 12 <= field < 16 or (field < 8 and log.recovery_report.cut is None):
        return  # the leader epoch, or an offset that is still larger: no CRC covers them
    assert log.end_offset == batch.base_offset
    assert says_own_offset(read_records(log), 0, batch.base_offset)


def test_segments_below_the_recovery_point_are_not_read() -> None:
    files, log = written(30)
    bases = [segment.base_offset for segment in log.segments]
    damage(files, log.segments[0].file.path, flip(120))
    log = open_log(files, recovery_point=bases[2] + 1)
    assert log.end_offset == 30
    assert log.recovery_report.checked_bytes < 3 * log.segments[1].size_bytes + 1500


@pytest.mark.parametrize("left", [0, 12])
def test_a_segment_that_ends_where_the_recovery_point_is_gets_its_indexes_anew(left: int) -> None:
    """The point was written before the segment was closed: its indexes were not synced then."""
    files, log = written(0)
    for number in range(30):
        append(log, batch_of([bytes(90)], timestamps=[NOW_MS + number]))
    closed = log.segments[1]
    largest, path = closed.largest_timestamp, closed.path(".timeindex")
    log.close()
    before = files.read(path)
    damage(files, path, lambda data: data.__delitem__(slice(left, None)))
    again = open_log(files, recovery_point=closed.next_offset)
    assert again.segments[1].largest_timestamp == largest
    assert files.read(path) == before
    assert len(before) > 12


@pytest.mark.parametrize("left", range(0, 60, 12))
def test_the_largest_timestamp_is_found_although_its_index_entry_got_lost(left: int) -> None:
    """Timestamps that fall again behind it do not show that something is missing."""
    files = MemoryFiles()
    log = open_log(files, segment_bytes=1 << 20)
    for number in range(40):
        later_ms = number if number < 20 else 1000 if number == 20 else -1000
        append(log, batch_of([bytes(90)], timestamps=[NOW_MS + later_ms]))
    log.prepare_recovery()
    path = log.segments[0].path(".timeindex")
    assert left < files.size(path)
    damage(files, path, lambda data: data.__delitem__(slice(left, None)))
    again = open_log(files, recovery_point=40, segment_bytes=1 << 20)
    for timestamp_ms in range(NOW_MS, NOW_MS + 25):
        found = again.offset_for_timestamp(timestamp_ms, upper_bound=40)
        assert found == log.offset_for_timestamp(timestamp_ms, upper_bound=40)
    found = again.offset_for_timestamp(NOW_MS + 50, upper_bound=40)
    assert found is not None
    assert found.offset == 20
    assert again.max_timestamp(upper_bound=40) == found


@pytest.mark.parametrize("step_ms", [0.5, 0, -1])
def test_recovery_goes_on_from_a_whole_time_index_however_timestamps_go(step_ms: float) -> None:
    files = MemoryFiles()
    log = open_log(files, segment_bytes=1 << 20)
    for number in range(40):
        append(log, batch_of([bytes(90)], timestamps=[NOW_MS + int(number * step_ms)]))
    log.prepare_recovery()
    again = open_log(files, recovery_point=40, segment_bytes=1 << 20)
    assert 0 < again.recovery_report.checked_bytes < log.size_bytes // 4
    assert again.max_timestamp(upper_bound=40) == log.max_timestamp(upper_bound=40)


def test_recovery_goes_on_from_the_index_that_a_checkpoint_wrote() -> None:
    files, log = written(40, segment_bytes=1 << 20)
    point = log.prepare_recovery() or log.end_offset
    whole = log.size_bytes
    log = open_log(files, recovery_point=point, segment_bytes=1 << 20)
    assert 0 < log.recovery_report.checked_bytes < whole // 4
    assert says_own_offset(read_records(log), 0, 40)
    damage(files, log.segments[0].path(".index"), flip(12))
    log = open_log(files, recovery_point=point, segment_bytes=1 << 20)
    assert says_own_offset(read_records(log), 0, 40)


@pytest.mark.parametrize("was_clean", [True, False])
@pytest.mark.parametrize("first", [0, -2])
def test_what_is_too_large_for_a_segment_is_kept_aside(
    first: int, was_clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where positions have no place in an index: also below the recovery point, and on trust."""
    files, log = written(40)
    log.close()
    large, taken_in = log.segments[first], log.segments[first + 1]
    data = files.read(large.file.path) + files.read(taken_in.file.path)
    put(files, large.file.path, data)
    for suffix in (".log", ".index", ".timeindex"):
        files.remove(taken_in.path(suffix))
    limit = len(data) - 10
    monkeypatch.setattr("godel.storage.layout.MAX_SEGMENT_BYTES", limit)
    again = open_log(files, was_clean=was_clean, recovery_point=40)
    cut = again.recovery_report.cut
    assert cut is not None
    assert f"at most {limit} bytes" in cut.reason
    assert again.end_offset == taken_in.next_offset - 1
    assert again.segments[-1].size_bytes == cut.position < limit
    assert says_own_offset(read_records(again), 0, again.end_offset)
    aside = b"".join(files.read(path) for path in sorted(cut.aside))
    assert aside.startswith(data[cut.position :])
    assert len(aside) == cut.cut_bytes


def test_damage_where_recovery_takes_up_ends_the_log_there() -> None:
    files, log = written(40, segment_bytes=1 << 20)
    point = log.prepare_recovery() or log.end_offset
    last = log.segments[0].offset_index.last_position
    batch = next(log.segments[0].walk(last))
    damage(files, log.segments[0].file.path, flip(last + 100))
    log = open_log(files, recovery_point=point, segment_bytes=1 << 20)
    assert log.end_offset == batch.base_offset
    assert says_own_offset(read_records(log), 0, batch.base_offset)


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
def test_an_index_is_rebuilt_when_it_is_missing_short_or_wrong(suffix: str) -> None:
    files, log = written(40)
    log.close()
    for change in (
        lambda data: data.clear(),
        lambda data: data.__delitem__(slice(-5, None)),
        lambda data: data.__setitem__(slice(None), b"\x7f" * len(data)),
        lambda data: data.__setitem__(slice(None), bytes(len(data))),
        lambda data: data.extend(bytes(1 << 16)),
    ):
        for segment in log.segments:
            damage(files, segment.path(suffix), change)
        again = open_log(files, was_clean=True, recovery_point=40)
        for offset in range(39, -1, -1):
            assert read_records(again, offset, offset + 1)[0].offset == offset
        assert again.max_timestamp(upper_bound=40) is not None
        again.close()


def test_a_wrong_recovery_point_after_a_clean_stop_is_noticed() -> None:
    files, log = written(3)
    log.close()
    log = open_log(files, was_clean=True, recovery_point=0)
    assert log.recovery_report.was_checked
    assert log.end_offset == 3
    log = open_log(files, was_clean=True, recovery_point=2)
    with pytest.raises(Exception, match="batches up to 2"):
        append_values(log, 1)


@pytest.mark.parametrize("left", [0, 2])
def test_durable_batches_that_are_gone_without_a_trace_are_reported(left: int) -> None:
    files, log = written(3)
    path = log.segments[0].file.path
    size_bytes = sum(batch.size_bytes for batch in list(log.segments[0].walk())[:left])
    log.close()
    damage(files, path, shorten(size_bytes))
    log = open_log(files, recovery_point=3)
    assert log.end_offset == left
    cut = log.recovery_report.cut
    assert cut is not None
    assert (cut.offset, cut.file, cut.position) == (left, path, size_bytes)
    assert cut.reason == "batches up to offset 3 were durable, and are gone"
    log.close()
    assert open_log(files, recovery_point=left).recovery_report.cut is None


def test_durable_batches_that_are_gone_but_for_a_torn_one_are_reported() -> None:
    files, log = written(3)
    path = log.segments[0].file.path
    log.close()
    damage(files, path, shorten(log.segments[0].size_bytes - 1))
    log = open_log(files, recovery_point=3)
    assert log.end_offset == 2
    cut = log.recovery_report.cut
    assert cut is not None
    assert cut.cut_bytes > 0
    assert cut.reason.endswith("; batches up to offset 3 were durable, and are gone")


def test_a_log_whose_last_records_were_deleted_has_lost_nothing() -> None:
    files, log = written(3)
    log.close()
    damage(files, log.segments[0].file.path, shorten(0))
    log = open_log(files, recovery_point=3, log_start_offset=3)
    assert log.recovery_report.cut is None


def test_damage_met_while_reading_is_reported() -> None:
    files, log = written(3)
    damage(files, log.segments[0].file.path, flip(16))
    with pytest.raises(CorruptBatch, match=r"0\.log at 0: magic"):
        log.read(0, 1000, upper_bound=3, at_least_one=True)


def test_a_log_that_ends_before_its_start_begins_anew_there() -> None:
    files, _ = written(5)
    log = open_log(files, log_start_offset=50)
    assert (log.log_start_offset, log.end_offset) == (50, 50)
    append_values(log, 2)
    assert says_own_offset(read_records(log), 50, 52)


def test_leader_epochs_are_completed_from_the_batches() -> None:
    files = MemoryFiles()
    log = open_log(files)
    log.save_leader_epochs([EpochStart(1, 0)])
    for epoch in (1, 1, 4, 4, 6):
        append(log, batch_of([b"x"]), epoch)
    log = open_log(files)
    assert log.leader_epochs() == [EpochStart(1, 0), EpochStart(4, 2), EpochStart(6, 4)]
    log.save_leader_epochs([EpochStart(1, 0), EpochStart(9, 99)])
    assert log.leader_epochs() == [EpochStart(1, 0), EpochStart(4, 2), EpochStart(6, 4)]


def test_leftovers_are_removed_and_strangers_left_alone() -> None:
    files, log = written(3)
    log.close()
    for name in ("00000000000000000000.log.deleted", "x.tmp", "notes.txt"):
        files.file_node(f"{FOLDER}/{name}", create=True)
    open_log(files)
    assert "notes.txt" in files.list_files(FOLDER)
    assert not [name for name in files.list_files(FOLDER) if name.endswith(("deleted", "tmp"))]


def test_a_snapshot_of_batches_that_are_gone_is_not_taken_for_their_successors() -> None:
    files, log = written(5)
    producer = ProducerEntry(1, 0, 4, 4, 0, 0, -1, -1)
    log.save_producers([producer])
    damage(files, log.segments[0].file.path, lambda data: data.__delitem__(slice(-1, None)))
    log = open_log(files)
    assert log.end_offset == 4
    append_values(log, 3)
    log = open_log(files)
    assert log.latest_producers() == (0, [])


def test_a_log_that_begins_anew_knows_no_producer_from_before_the_gap() -> None:
    """It would know the batches before the snapshot, and refuse what comes behind the others."""
    files, log = written(5)
    log.save_producers([ProducerEntry(1, 0, 4, 4, 0, 0, -1, -1)])
    log = open_log(files, log_start_offset=50)
    assert log.latest_producers() == (50, [])
    assert not [name for name in files.list_files(FOLDER) if name.endswith(".snapshot")]


def test_all_that_stands_behind_damage_in_several_segments_is_kept_aside() -> None:
    files, log = written(60)
    segments = list(log.segments)
    assert len(segments) > 6
    contents = [files.read(segment.file.path) for segment in segments]
    wrong = [next(iter(segments[number].walk())) for number in (2, 4)]
    for number, batch in zip((2, 4), wrong, strict=True):
        damage(files, segments[number].file.path, flip(batch.position + 100))
    log = open_log(files)
    cut = log.recovery_report.cut
    assert cut is not None
    assert (cut.offset, cut.file, cut.position) == (
        segments[2].base_offset,
        segments[2].file.path,
        0,
    )
    assert sorted(cut.aside) == [f"{FOLDER}/{name}" for name in aside_files(files)]
    assert cut.cut_bytes == sum(map(len, contents[2:]))
    kept = b"".join(files.read(path) for path in sorted(cut.aside))
    expected = bytearray(b"".join(contents[2:]))
    for number, batch in zip((2, 4), wrong, strict=True):
        expected[sum(map(len, contents[2:number])) + batch.position + 100] ^= 0x10
    assert kept == bytes(expected)
    append_values(log, 3)
    log.close()
    assert sorted(cut.aside) == [f"{FOLDER}/{name}" for name in aside_files(files)]
    again = open_log(files, recovery_point=0)
    assert again.recovery_report.cut is None
    assert says_own_offset(read_records(again), 0, segments[2].base_offset + 3)


def lose_tail_of_first_segment(files: MemoryFiles, log: Log) -> int:
    """As when the power takes its last batch, and not the next segment; where that batch began."""
    first = log.segments[0]
    last = list(first.walk())[-1]
    damage(files, first.file.path, lambda data: data.__delitem__(slice(last.position, None)))
    return last.base_offset


def test_nothing_is_served_behind_records_that_got_lost_with_the_power() -> None:
    files, log = written(30)
    end = lose_tail_of_first_segment(files, log)
    log = open_log(files)
    assert log.end_offset == end
    assert says_own_offset(read_records(log), 0, end)
    cut = log.recovery_report.cut
    assert cut is not None
    assert len(cut.aside) > 1
    append_values(log, 1)
    assert says_own_offset(read_records(log), 0, end + 1)


def test_gaps_of_a_compacted_log_and_below_the_log_start_are_no_damage() -> None:
    for changes in ({"is_compacted": True}, {"log_start_offset": 20}):
        files, log = written(30)
        lose_tail_of_first_segment(files, log)
        log = open_log(files, **changes)
        assert log.recovery_report.cut is None
        assert log.end_offset == 30


@pytest.mark.parametrize(
    ("recovery_point", "compacted_end", "found"),
    [(0, 0, "cut"), (30, 0, "hole"), (30, 30, "nothing"), (0, 30, "nothing")],
)
def test_a_gap_is_damage_unless_the_log_was_once_compacted(
    recovery_point: int, compacted_end: int, found: str
) -> None:
    """A power cut leaves none below the recovery point: a segment was taken away."""
    files, log = written(30)
    lose_tail_of_first_segment(files, log)
    first, second, *_ = log.segments
    loaded = recovery.load(
        files,
        log.folder,
        SMALL_SEGMENTS,
        was_clean=False,
        recovery_point=recovery_point,
        is_suspect=True,
        log_start_offset=0,
        compacted_end=compacted_end,
        now_ms=0,
    )
    hole = recovery.Hole(second.base_offset - 1, second.base_offset, first.file.path)
    assert loaded.report.holes == ([hole] if found == "hole" else [])
    assert (loaded.report.cut is not None) == (found == "cut")
    assert (loaded.segments[-1].next_offset == 30) == (found != "cut")


def test_damage_below_the_recovery_point_is_found_where_it_is_looked_for() -> None:
    for is_suspect in (True, False):
        files, log = written(30)
        first = log.segments[0].file.path
        data = bytearray(files.read(first))
        data[90] ^= 1
        put(files, first, bytes(data))
        loaded = recovery.load(
            files,
            log.folder,
            SMALL_SEGMENTS,
            was_clean=False,
            recovery_point=30,
            is_suspect=is_suspect,
            log_start_offset=0,
            now_ms=0,
        )
        assert (loaded.report.cut is not None) == is_suspect
