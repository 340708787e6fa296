"""Compaction of transactions: what was aborted goes, and no reader of committed records notices."""

from __future__ import annotations

import pytest

from godel.clock import ManualClock, Randomness
from godel.records.batch import iterate_headers
from godel.records.partition_log import ProducerEntry
from godel.storage.faulty_files import FaultyFiles, PowerCut
from godel.storage.files import Files
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from tests.storage.compaction_harness import COMPACTED, Compactor, put_keys
from tests.storage.harness import NOW_MS, open_log, read_records
from tests.storage.test_aborted import ALL, COMMIT, three_segments
from tests.transactions import committed

END = 13
COMMITTED = {(3, "4"), (8, "4"), (10, "key"), (11, "key"), (12, "key")}
"""What readers of committed records see of `written`, by offset and key."""
COMPACT = {(8, "4"), (12, "key")}


def written(files: Files) -> Log:
    """Producers 1, 2 and 3 have aborted, 4 has committed twice, and one has no transactions."""
    log = open_log(files, config=COMPACTED)
    log.flush()
    files.sync_folder("data")
    files.sync_folder(".")
    three_segments(log).end(4, COMMIT)
    for value in "abc":
        put_keys(log, [("key", value)])
    log.roll()
    log.flush()
    assert log.end_offset == END
    return log


def seen(log: Log) -> set[tuple[int, str]]:
    aborted = [one[:2] for one in log.aborted_transactions(0, END)]
    records = []
    offset = 0
    while offset < END:
        found = log.read(offset, 1 << 20, upper_bound=END, at_least_one=True)
        assert found is not None
        records += committed(found.pieces, aborted, start=offset)
        offset = [one.next_offset for data in found.pieces for one in iterate_headers(data)][-1]
    return {(one.offset, (one.key or b"").decode()) for one in records}


def offsets(log: Log) -> list[int]:
    return [record.offset for record in read_records(log)]


def check_between(log: Log) -> None:
    assert COMPACT <= seen(log) <= COMMITTED, "at every moment"


def test_what_was_aborted_goes_and_its_markers_stay_until_a_later_time() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = written(files)
    compactor = Compactor(files, clock)
    assert compactor.compact(log, between=lambda: check_between(log)) is not None
    assert seen(log) == COMPACT
    assert offsets(log) == [2, 4, 6, 7, 8, 9, 12]
    assert sorted(log.aborted_transactions(0, END)) == sorted(ALL), "markers keep their entries"

    put_keys(log, [("other", "value")])
    log.roll()
    log.flush()
    compactor.compact(log)
    assert offsets(log) == [2, 4, 6, 7, 8, 9, 12, 13], "the markers have a delete horizon now"
    assert log.aborted_transactions(0, END) == []
    assert seen(log) == COMPACT

    put_keys(log, [("other", "value")])
    log.roll()
    log.flush()
    clock.advance(COMPACTED.delete_retention_ms + 1)
    compactor.compact(log)
    assert offsets(log) == [8, 9, 12, 14], "something of the transaction before 9 is still there"


def test_the_marker_of_a_producer_of_which_nothing_else_is_known_stays() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = written(files)
    compactor = Compactor(files, clock)
    only_a_marker = [ProducerEntry(2, 0, -1, -1, 0, NOW_MS, 0, -1)]
    for _ in range(3):
        compactor.compact(log, producers=only_a_marker)
        put_keys(log, [("other", "value")])
        log.roll()
        log.flush()
        clock.advance(COMPACTED.delete_retention_ms + 1)
    assert 2 in offsets(log)
    assert not {4, 6, 7} & set(offsets(log))


def test_keys_of_aborted_records_supersede_nothing() -> None:
    files = MemoryFiles()
    log = open_log(files, config=COMPACTED)
    put_keys(log, [("1", "committed before"), ("3", "committed before")])
    three_segments(log).end(4, COMMIT)
    log.roll()
    log.flush()
    Compactor(files).compact(log)
    assert {0, 1} <= set(offsets(log))


def test_what_was_aborted_is_known_after_a_restart() -> None:
    files = FaultyFiles()
    log = written(files)
    Compactor(files).compact(log)
    log.close()
    again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=END)
    assert sorted(again.aborted_transactions(0, END)) == sorted(ALL)
    assert seen(again) == COMPACT
    assert seen(open_log(files.after_crash(), config=COMPACTED)) == COMPACT


def test_a_damaged_index_is_mended_before_it_is_followed() -> None:
    files = FaultyFiles()
    log = written(files)
    log.close()
    files.open(f"data/topic-0/{5:020d}.txnindex").truncate(40)
    again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=END)
    Compactor(files).compact(again)
    assert seen(again) == COMPACT
    assert sorted(again.aborted_transactions(0, END)) == sorted(ALL)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_no_power_cut_shows_what_was_aborted(seed: int | None) -> None:
    count = FaultyFiles()
    log = written(count)
    begun = count.operations
    Compactor(count).compact(log)
    assert count.operations > begun + 10
    for crash_at in range(begun + 1, count.operations + 1):
        files = FaultyFiles()
        log = written(files)
        files.crash_at = crash_at
        with pytest.raises(PowerCut):
            Compactor(files).compact(log)
        randomness = None if seed is None else Randomness(seed)
        again = open_log(files.after_crash(randomness), config=COMPACTED)
        assert COMPACT <= seen(again) <= COMMITTED, crash_at
