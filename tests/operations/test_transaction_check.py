"""Transaction indexes held against the markers in the log."""

from __future__ import annotations

import pytest

from godel.operations.findings import Tally
from godel.operations.partition_check import Expected, PartitionCheck
from godel.storage.memory_files import MemoryFiles
from godel.storage.transaction_index import ENTRY_SIZE
from tests.storage.compaction_harness import COMPACTED, Compactor
from tests.storage.harness import open_log, put
from tests.storage.test_aborted import COMMIT, three_segments

FOLDER = "data/topic-0"
TOPIC_ID = bytes(range(16))
EXPECTED = Expected(TOPIC_ID, 10, True, 10, 0, 10)
FIRST, LAST = f"{FOLDER}/{0:020d}.txnindex", f"{FOLDER}/{5:020d}.txnindex"


@pytest.fixture
def files() -> MemoryFiles:
    """Segments from 0, 3 and 5; what was aborted ends at 2, 6 and 7."""
    files = MemoryFiles()
    log = open_log(files, FOLDER, topic_id=TOPIC_ID, config=COMPACTED)
    three_segments(log).end(4, COMMIT)
    log.close()
    return files


def problems(files: MemoryFiles, expected: Expected = EXPECTED) -> list[tuple[str, str]]:
    tally = Tally()
    PartitionCheck(files, FOLDER, expected, tally=tally, on_progress=lambda _: None).run()
    found = [(one.path, one.what) for one in tally.problems()]
    return [one for one in found if one[0].endswith(".txnindex")]


def test_whole_indexes_are_sound(files: MemoryFiles) -> None:
    assert problems(files) == []


def test_a_lost_index_is_noticed(files: MemoryFiles) -> None:
    files.remove(FIRST)
    assert problems(files) == [(FIRST, "it does not know what was aborted at offset 2")]


def test_a_lost_entry_is_noticed(files: MemoryFiles) -> None:
    put(files, LAST, files.read(LAST)[ENTRY_SIZE:])
    assert problems(files) == [(LAST, "it does not know what was aborted at offset 6")]


def test_an_entry_that_is_cut_off_is_noticed(files: MemoryFiles) -> None:
    put(files, LAST, files.read(LAST)[:-1])
    assert problems(files) == [(LAST, "it cannot be the index of this segment")]


def test_entries_without_their_marker_are_noticed(files: MemoryFiles) -> None:
    entry = bytearray(files.read(FIRST))
    entry[9] = 9  # the producer
    put(files, FIRST, bytes(entry))
    assert (FIRST, "producer 9 has not aborted at offset 2") in problems(files)


def test_an_entry_that_hides_too_little_is_noticed(files: MemoryFiles) -> None:
    entries = bytearray(files.read(LAST))
    entries[ENTRY_SIZE + 17] = 3  # where the transaction over all segments began
    put(files, LAST, bytes(entries))
    what = "what producer 1 aborted at 7 began at 0, not at 3"
    assert problems(files) == [(LAST, what)]


def test_what_the_next_start_makes_anew_is_not_judged(files: MemoryFiles) -> None:
    files.remove(FIRST)
    put(files, LAST, b"xyz")
    assert problems(files, EXPECTED._replace(was_clean=False, recovery_point=0)) == []


def test_what_compaction_leaves_is_sound() -> None:
    files = MemoryFiles()
    log = open_log(files, FOLDER, topic_id=TOPIC_ID, config=COMPACTED)
    three_segments(log).end(4, COMMIT)
    log.roll()
    log.flush()
    Compactor(files).compact(log)
    log.close()
    assert problems(files) == []
