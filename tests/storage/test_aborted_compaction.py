"""Compaction keeps transactional batches and markers, and what is known of them."""

from __future__ import annotations

import pytest

from godel.clock import Randomness
from godel.storage.faulty_files import FaultyFiles, PowerCut
from godel.storage.log import Log
from tests.storage.compaction_harness import COMPACTED, Compactor, put_keys
from tests.storage.harness import open_log
from tests.storage.test_aborted import ALL, three_segments


def written(files: FaultyFiles) -> Log:
    log = open_log(files, config=COMPACTED)
    log.flush()
    files.sync_folder("data")
    files.sync_folder(".")
    three_segments(log)
    for value in "abc":
        put_keys(log, [("key", value)])
    log.roll()
    log.flush()
    return log


def aborted(log: Log) -> list[tuple[int, ...]]:
    return sorted(log.aborted_transactions(0, 9))


def test_what_was_aborted_is_known_after_compaction_and_a_restart() -> None:
    files = FaultyFiles()
    log = written(files)
    before = len(log.segments)
    assert Compactor(files).compact(log, between=lambda: check(log)) is not None
    assert len(log.segments) < before, "some have one copy together"
    assert aborted(log) == sorted(ALL)
    log.close()
    again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=12)
    assert aborted(again) == sorted(ALL)
    assert open_log(files.after_crash(), config=COMPACTED).aborted_transactions(0, 9) == ALL


def check(log: Log) -> None:
    assert aborted(log) == sorted(ALL), "at every moment"


def test_a_damaged_index_is_mended_before_it_is_copied() -> None:
    files = FaultyFiles()
    log = written(files)
    log.close()
    files.open(f"data/topic-0/{5:020d}.txnindex").truncate(40)
    again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=12)
    Compactor(files).compact(again)
    assert aborted(again) == sorted(ALL)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_no_power_cut_takes_what_is_known(seed: int | None) -> None:
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
        assert aborted(again) == sorted(ALL), crash_at
