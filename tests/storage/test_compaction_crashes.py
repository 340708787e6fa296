"""Power cuts and errors at every operation of a compaction."""

from __future__ import annotations

import contextlib
import errno

import pytest

from godel.clock import ManualClock, Randomness
from godel.records.partition_log import CleanerLimits
from godel.storage.cleaner import Abandoned
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, PowerCut
from godel.storage.log import Log
from tests.storage.compaction_harness import COMPACTED, Compactor, put_keys, table_of
from tests.storage.harness import NOW_MS, open_log, read_records

LIMITS = CleanerLimits(256 * 12, 1e18)


def prepared() -> tuple[FaultyFiles, Log, Compactor]:
    """A log with clean and dirty segments, tombstones whose horizon has passed among them."""
    files, clock = FaultyFiles(), ManualClock(NOW_MS)
    log = open_log(files, config=COMPACTED, clock=clock)
    files.sync_folder("data")
    files.sync_folder(".")
    compactor = Compactor(files, clock)
    for number in range(24):
        value = None if number % 6 == 5 else f"{number:030d}"
        put_keys(log, [(f"k{number % 8}", value), (f"u{number % 17}", "-")])
    log.roll()
    log.flush()
    compactor.compact(log, limits=LIMITS)
    clock.advance(5000)
    for number in range(16):
        put_keys(log, [(f"k{number % 5}", f"second {number:030d}")])
    log.roll()
    put_keys(log, [("active", "v")])
    log.flush()
    clock.advance(5000)
    return files, log, compactor


def count_operations() -> tuple[int, int]:
    files, log, compactor = prepared()
    first = files.operations
    compactor.compact(log, limits=LIMITS)
    return first, files.operations


FIRST, LAST = count_operations()


def check_recovered(files: FaultyFiles, before: dict[str, str], *, end_offset: int) -> None:
    log = open_log(files, config=COMPACTED, clock=ManualClock(NOW_MS + 20_000))
    cut = log.recovery_report.cut
    assert cut is None, cut
    assert log.end_offset == end_offset
    assert table_of(log) == before
    offsets = [record.offset for record in read_records(log)]
    assert offsets == sorted(set(offsets))
    names = files.list_files("data/topic-0")
    assert not [name for name in names if name.endswith((".swap", ".cleaned", ".deleted"))]
    compactor = Compactor(files)
    compactor.clock.advance(20_000)  # type: ignore[attr-defined] # a ManualClock
    compactor.compact(log)
    assert table_of(log) == before
    log.close()
    again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=end_offset)
    assert table_of(again) == before


@pytest.mark.slow
@pytest.mark.parametrize("is_unsynced_kept", [False, True])
def test_a_power_cut_at_every_operation_loses_nothing(is_unsynced_kept: bool) -> None:
    assert LAST - FIRST > 60
    for crash_at in range(FIRST + 1, LAST + 2, 1 if is_unsynced_kept else 2):
        files, log, compactor = prepared()
        before, end_offset = table_of(log), log.end_offset
        files.crash_at = crash_at
        with contextlib.suppress(PowerCut):
            compactor.compact(log, limits=LIMITS)
        randomness = Randomness(crash_at) if is_unsynced_kept else None
        check_recovered(files.after_crash(randomness), before, end_offset=end_offset)


@pytest.mark.slow
def test_a_process_that_dies_at_every_operation_loses_nothing() -> None:
    """The disk keeps what was written, synced or not; the next open may trust a clean stop."""
    for crash_at in range(FIRST + 1, LAST + 2):
        files, log, compactor = prepared()
        before, end_offset = table_of(log), log.end_offset
        files.crash_at = crash_at
        with contextlib.suppress(PowerCut):
            compactor.compact(log, limits=LIMITS)
        files.crash_at = None
        again = open_log(files, config=COMPACTED, was_clean=True, recovery_point=end_offset)
        assert table_of(again) == before
        assert again.end_offset == end_offset


@pytest.mark.slow
def test_an_error_at_every_operation_leaves_the_log_readable() -> None:
    for number in range(FIRST + 1, LAST + 1):
        code = errno.EIO if number % 2 else errno.ENOSPC
        files, log, compactor = prepared()
        before, end_offset = table_of(log), log.end_offset

        files.faults = lambda operation, number=number, code=code: (  # type: ignore[misc] # a bound loop variable
            Fault(code, 7)
            if operation.number == number and operation.kind is not Kind.READ
            else None
        )
        with contextlib.suppress(OSError, Abandoned):
            compactor.compact(log, limits=LIMITS)
        files.faults = None
        assert log.failure is None
        assert table_of(log) == before
        assert put_keys(log, [("active", "after")]) == end_offset
        log.flush()
        before["active"] = "after"
        check_recovered(files.after_crash(), before, end_offset=end_offset + 1)
