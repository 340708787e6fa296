"""What was aborted in a log, over segments, damaged indexes, and recovery from any point."""

from __future__ import annotations

import pytest

from godel.clock import Randomness
from godel.records.batch import EndMarker, parse_header
from godel.records.builder import control_batch
from godel.records.partition_log import ProducerEntry
from godel.records.transactions import AbortedTransaction, OpenTransactions
from godel.storage.faulty_files import FaultyFiles, PowerCut
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import NOW_MS, append, open_log
from tests.transactions import transactional

INDEX = f"data/topic-0/{0:020d}.txnindex"
COMMIT, ABORT = EndMarker(True, 0), EndMarker(False, 0)


class Writer:
    """Writes transactions to a log as a partition does."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.open = OpenTransactions()

    def data(self, producer_id: int) -> int:
        offset = append(
            self.log, transactional("value", producer_id=producer_id, key=f"{producer_id}")
        )
        self.open.begin(producer_id, offset)
        return offset

    def end(self, producer_id: int, marker: EndMarker) -> None:
        batch = control_batch(
            marker, producer_id=producer_id, producer_epoch=0, timestamp_ms=NOW_MS
        )
        aborted = self.open.aborted_by(marker, producer_id, self.log.end_offset)
        self.log.append(parse_header(batch), batch, 0, aborted)
        self.open.end(producer_id)

    def roll(self) -> None:
        self.log.save_producers(
            [
                ProducerEntry(one, 0, -1, -1, 0, NOW_MS, -1, first)
                for one in range(10)
                if (first := self.open.first_offset_of(one)) is not None
            ]
        )
        self.log.roll()


def three_segments(log: Log) -> Writer:
    """Producer 1 aborts over all of them, 2 and 3 inside, 4 commits and begins again."""
    writer = Writer(log)
    writer.data(1)  # 0
    writer.data(2)
    writer.end(2, ABORT)  # 2
    writer.roll()
    writer.data(4)  # 3
    writer.end(4, COMMIT)
    writer.roll()
    writer.data(3)  # 5
    writer.end(3, ABORT)  # 6
    writer.end(1, ABORT)  # 7
    writer.data(4)
    log.flush()
    return writer


ALL = [
    AbortedTransaction(2, 1, 2, 0),
    AbortedTransaction(3, 5, 6, 0),
    AbortedTransaction(1, 0, 7, 8),
]


def in_range(start: int, upper_bound: int) -> list[AbortedTransaction]:
    return [one for one in ALL if one.last_offset >= start and one.first_offset < upper_bound]


def test_a_reader_is_told_of_what_reaches_into_its_range() -> None:
    log = open_log(MemoryFiles())
    three_segments(log)
    for start in range(9):
        for upper_bound in range(start, 10):
            assert log.aborted_transactions(start, upper_bound) == in_range(start, upper_bound)


def test_a_search_ends_where_all_is_decided() -> None:
    files = FaultyFiles()
    log = open_log(files)
    writer = Writer(log)
    writer.data(1)
    writer.end(1, ABORT)
    writer.roll()
    writer.data(1)
    writer.end(1, ABORT)
    files.fail(lambda operation: f"{2:020d}" in operation.path)
    assert log.aborted_transactions(0, 2) == [AbortedTransaction(1, 0, 1, 2)]


def test_a_log_knows_at_once_that_nothing_was_aborted() -> None:
    log = open_log(MemoryFiles())
    writer = Writer(log)
    writer.data(1)
    writer.end(1, COMMIT)
    assert not log.has_aborted(0)
    writer.roll()
    writer.data(1)
    writer.end(1, ABORT)
    assert log.has_aborted(0)


def test_a_segment_without_aborted_transactions_has_no_file() -> None:
    files = MemoryFiles()
    three_segments(open_log(files))
    names = [name for name in files.list_files("data/topic-0") if name.endswith(".txnindex")]
    assert sorted(names) == [f"{0:020d}.txnindex", f"{5:020d}.txnindex"]


@pytest.mark.parametrize("recovery_point", range(9))
@pytest.mark.parametrize("kept", ["all", "none", "torn"])
def test_recovery_makes_the_indexes_again(recovery_point: int, kept: str) -> None:
    """Of the segments that it checks; what lies before was synced."""
    files = MemoryFiles()
    log = open_log(files)
    three_segments(log)
    checked = 0 if recovery_point < 3 else 5
    for name in files.list_files("data/topic-0"):
        if name.endswith(".txnindex") and int(name[:20]) >= checked and kept != "all":
            path = f"data/topic-0/{name}"
            if kept == "torn":
                files.open(path).truncate(30)
            else:
                files.remove(path)
    again = open_log(files, recovery_point=recovery_point)
    assert again.aborted_transactions(0, 9) == ALL


def test_recovery_knows_what_was_open_without_snapshots() -> None:
    files = MemoryFiles()
    three_segments(open_log(files))
    for name in files.list_files("data/topic-0"):
        if name.endswith((".snapshot", ".txnindex")):
            files.remove(f"data/topic-0/{name}")
    log = open_log(files, recovery_point=0)
    assert log.aborted_transactions(0, 9) == ALL


def test_what_recovery_cuts_off_was_not_aborted() -> None:
    files = MemoryFiles()
    log = open_log(files)
    writer = Writer(log)
    writer.data(1)
    writer.end(1, ABORT)
    writer.data(1)
    writer.end(1, ABORT)
    end = log.segments[-1].size_bytes
    files.open(log.segments[-1].file.path).truncate(end - 1)
    again = open_log(files, recovery_point=0)
    assert again.end_offset == 3
    assert again.aborted_transactions(0, 9) == [AbortedTransaction(1, 0, 1, 2)]


@pytest.mark.parametrize("damage", [b"\0" * 34, b"torn"])
def test_a_damaged_index_is_made_again_when_it_is_needed(damage: bytes) -> None:
    files = MemoryFiles()
    log = open_log(files)
    three_segments(log)
    log.close()
    files.open(INDEX).append((damage,), len(damage))
    again = open_log(files, was_clean=True, recovery_point=9)
    assert again.aborted_transactions(0, 9) == ALL
    assert files.size(INDEX) == 34


@pytest.mark.parametrize("bit", range(2, 64))
def test_a_search_does_not_end_by_a_flipped_bit_where_nothing_can_be_decided(bit: int) -> None:
    files = MemoryFiles()
    log = open_log(files)
    three_segments(log)
    log.close()
    node = files.file_node(INDEX, create=False)
    node.data[-1 - bit // 8] ^= 1 << bit % 8  # what was decided when producer 2 ended
    again = open_log(files, was_clean=True, recovery_point=9)
    assert again.aborted_transactions(0, 3) == [ALL[0], ALL[2]]


def test_an_entry_reaches_the_disk_with_its_marker() -> None:
    files = FaultyFiles()
    log = open_log(files)
    files.sync_folder("data")
    files.sync_folder(".")
    three_segments(log)
    assert files.after_crash().read(INDEX) == files.read(INDEX)
    assert len(files.read(INDEX)) == 34


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_leaves_no_entry_without_its_marker(seed: int) -> None:
    """Also where the log ends as it did when it was last durable, and is opened on trust."""

    def life(files: FaultyFiles) -> Log:
        files.make_folder("data/topic-0")
        files.sync_folder("data")
        files.sync_folder(".")
        log = open_log(files)
        writer = Writer(log)
        writer.data(1)
        writer.end(1, ABORT)
        writer.data(2)
        log.close()  # all of it is durable now
        log = open_log(files, was_clean=True, recovery_point=3)
        writer.log = log
        settled.append((log.segments[-1].size_bytes, files.operations))
        writer.end(2, ABORT)
        log.flush()
        return log

    settled: list[tuple[int, int]] = []
    whole = FaultyFiles()
    life(whole)
    for crash_at in range(settled[0][1] + 1, whole.operations + 1):
        files = FaultyFiles(crash_at=crash_at)
        with pytest.raises(PowerCut):
            life(files)
        disk = files.after_crash(Randomness(seed))
        if disk.size(f"data/topic-0/{0:020d}.log") == settled[0][0]:
            log = open_log(disk, was_clean=True, recovery_point=3)
        else:
            log = open_log(disk, recovery_point=3)
        if log.end_offset == 3:
            writer = Writer(log)
            writer.data(5)
            writer.end(2, COMMIT)
            assert log.aborted_transactions(0, 9) == [AbortedTransaction(1, 0, 1, 2)]
        else:
            assert log.aborted_transactions(2, 9) == [AbortedTransaction(2, 2, 3, 4)]


def test_an_entry_beyond_the_end_is_cut_off_by_an_open_on_trust() -> None:
    files = MemoryFiles()
    log = open_log(files)
    writer = Writer(log)
    writer.data(1)
    writer.end(1, ABORT)
    writer.data(2)
    log.segments[-1].add_aborted(AbortedTransaction(2, 2, 3, 4))
    log.close()
    again = open_log(files, was_clean=True, recovery_point=3)
    writer.log = again
    writer.data(3)
    writer.end(2, COMMIT)
    assert again.aborted_transactions(0, 9) == [AbortedTransaction(1, 0, 1, 2)]
    assert files.size(INDEX) == 34


def test_an_index_goes_with_its_segment() -> None:
    files = MemoryFiles()
    log = open_log(files)
    three_segments(log)
    log.truncate_prefix(3)
    log.delete_old_segments()
    assert log.segments[0].base_offset == 3
    assert not files.exists(INDEX)
    assert files.exists(INDEX + ".deleted")
    assert log.aborted_transactions(3, 9) == ALL[1:]


def test_a_file_that_a_deleted_log_has_left_is_not_added_to() -> None:
    files = MemoryFiles()
    log = open_log(files)
    files.open(INDEX).append((b"left over",), 9)
    three_segments(log)
    assert log.aborted_transactions(0, 9) == ALL


def test_a_damaged_batch_long_before_does_not_end_the_log() -> None:
    files = MemoryFiles()
    log = open_log(files)
    three_segments(log)
    for name in files.list_files("data/topic-0"):
        if name.endswith(".snapshot"):
            files.remove(f"data/topic-0/{name}")
    node = files.file_node(log.segments[0].file.path, create=False)
    node.data[16] = 0  # the magic
    again = open_log(files, recovery_point=5)
    assert again.end_offset == 9
    assert again.recovery_report.cut is None
