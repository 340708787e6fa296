"""Running compactions: in a worker thread on real files, throttled, in reach of a clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from godel.clock import ManualClock, SystemClock
from godel.records.partition_log import CleanerLimits
from godel.storage.cleaner import Abandoned, Cleaner, dirt_of
from godel.storage.compaction import is_worthwhile
from godel.storage.files import Files
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from tests.storage.compaction_harness import COMPACTED, UNLIMITED, Compactor, put_keys, table_of
from tests.storage.harness import NOW_MS, HeldFiles, open_log


def filled(files: Files, folder: str = "data/topic-0", count: int = 60) -> Log:
    log = open_log(files, folder, config=COMPACTED)
    for number in range(count):
        put_keys(log, [(f"k{number % 7}", f"{number:040d}")])
    log.flush()
    return log


@pytest.mark.anyio
async def test_real_files_are_compacted_in_a_thread_while_others_go_on(tmp_path: Path) -> None:
    files = RealFiles(max_open=16)
    log = filled(files, f"{tmp_path}/topic-0", 100)
    table, size_bytes = table_of(log), log.size_bytes
    cleaner = Cleaner(files, SystemClock(), Flusher(files))
    found = dirt_of(log, None, upper_bound=log.end_offset, now_ms=NOW_MS)
    assert found is not None
    noted: list[int] = []
    running = asyncio.create_task(
        cleaner.compact(log, found, limits=UNLIMITED, producers=(), on_progress=noted.append)
    )
    turns = 0
    while not running.done():
        turns += 1
        await asyncio.sleep(0)
        if turns < 50:
            put_keys(log, [("live", str(turns))])
            table["live"] = str(turns)
    done = await running
    assert turns > 10
    assert noted == [found.end_offset] == [done.clean_offset]
    assert log.size_bytes < size_bytes
    assert table_of(log) == table
    cleaner.close()
    end_offset = log.end_offset
    log.close()
    log = open_log(files, f"{tmp_path}/topic-0", config=COMPACTED)
    assert (table_of(log), log.end_offset, log.recovery_report.cut) == (table, end_offset, None)
    log.close()


@pytest.mark.anyio
async def test_a_closed_cleaner_stops_within_a_step(tmp_path: Path) -> None:
    files = RealFiles()
    log = filled(files, f"{tmp_path}/topic-0", 100)
    cleaner = Cleaner(files, SystemClock(), Flusher(files))
    found = dirt_of(log, None, upper_bound=log.end_offset, now_ms=NOW_MS)
    assert found is not None
    running = asyncio.create_task(
        cleaner.compact(log, found, limits=UNLIMITED, producers=(), on_progress=lambda _: None)
    )
    await asyncio.sleep(0)
    cleaner.close()
    with pytest.raises(Abandoned):
        await running
    assert log.failure is None
    log.close()


@pytest.mark.anyio
async def test_a_sync_that_is_waited_for_goes_first_but_holds_nothing_up(tmp_path: Path) -> None:
    files, clock = HeldFiles(), ManualClock(NOW_MS)
    flusher = Flusher(files, clock=clock)
    log = filled(RealFiles(), f"{tmp_path}/topic-0")
    cleaner = Cleaner(files, clock, flusher)
    live = open_log(files, f"{tmp_path}/live-0", flusher=flusher)
    put_keys(live, [("a", "b")])
    await asyncio.sleep(0)
    found = dirt_of(log, None, upper_bound=log.end_offset, now_ms=NOW_MS)
    assert found is not None
    running = asyncio.create_task(
        cleaner.compact(log, found, limits=UNLIMITED, producers=(), on_progress=lambda _: None)
    )
    for _ in range(200):  # more than the compaction's own syncs
        await asyncio.to_thread(RealFiles().sync_folder, str(tmp_path))
    assert not running.done()
    while not running.done():  # the sync does not end, but time moves on
        clock.advance(1)
        await asyncio.sleep(0)
    assert (await running).clean_offset == found.end_offset
    assert live.flushed_offset == 0
    files.released.set()
    cleaner.close()
    await flusher.close()
    live.close()
    log.close()


@pytest.mark.anyio
async def test_it_is_throttled() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = filled(files)
    cleaner = Cleaner(files, clock, Flusher(files))
    found = dirt_of(log, None, upper_bound=log.end_offset, now_ms=NOW_MS)
    assert found is not None
    limits = CleanerLimits(1 << 20, 1000.0)
    dirty_bytes = sum(one.size_bytes for one in log.segments[:-1])
    running = asyncio.create_task(
        cleaner.compact(log, found, limits=limits, producers=(), on_progress=lambda _: None)
    )
    for _ in range(100_000):
        if running.done():
            break
        await asyncio.sleep(0)
        clock.advance(1)
    seconds = clock.monotonic_ms() / 1000
    await running
    assert 2 * dirty_bytes <= seconds * 1000 <= 4 * dirty_bytes


def test_what_counts_as_dirty() -> None:
    files, clock = MemoryFiles(), ManualClock(NOW_MS)
    log = open_log(files, config=COMPACTED, clock=clock)
    assert dirt_of(log, None, upper_bound=0, now_ms=NOW_MS) is None, "the active segment never"
    for number in range(20):
        put_keys(log, [("k", f"{number:040d}")], timestamp_ms=NOW_MS + number)
    log.flush()
    ends = [one.next_offset for one in log.segments[:-1]]
    assert len(ends) > 2
    everything = dirt_of(log, None, upper_bound=20, now_ms=NOW_MS)
    assert everything is not None
    assert (everything.first_dirty_offset, everything.end_offset) == (0, ends[-1])
    assert (everything.ratio, everything.is_overdue) == (1.0, False)
    below = dirt_of(log, None, upper_bound=ends[1] + 1, now_ms=NOW_MS)
    assert below is not None
    assert below.end_offset == ends[1], "whole segments below the bound"
    later = dirt_of(log, ends[0], upper_bound=20, now_ms=NOW_MS)
    assert later is not None
    sizes = [one.size_bytes for one in log.segments[:-1]]
    assert later.ratio == pytest.approx(1 - sizes[0] / sum(sizes))
    assert dirt_of(log, ends[-1], upper_bound=20, now_ms=NOW_MS) is None
    beyond = dirt_of(log, 10_000, upper_bound=20, now_ms=NOW_MS)
    assert beyond == everything, "a checkpoint beyond the end is none"


def test_compaction_lags() -> None:
    files = MemoryFiles()
    log = open_log(files, config=replace(COMPACTED, min_cleanable_dirty_ratio=0.9))
    for number in range(20):
        put_keys(log, [("k", f"{number:040d}")], timestamp_ms=NOW_MS + number)
    log.flush()
    ends = [one.next_offset for one in log.segments[:-1]]
    log.configure(replace(log.config, min_compaction_lag_ms=100))
    assert dirt_of(log, None, upper_bound=20, now_ms=NOW_MS + 90) is None
    first = dirt_of(log, None, upper_bound=20, now_ms=NOW_MS + 100 + ends[0] - 1)
    assert first is not None
    assert first.end_offset == ends[0]
    log.configure(replace(log.config, min_compaction_lag_ms=0, max_compaction_lag_ms=ends[0] + 50))
    for now_ms, wanted in ((NOW_MS + 50 + 2 * ends[0], False), (NOW_MS + 51 + 2 * ends[0], True)):
        found = dirt_of(log, ends[0], upper_bound=20, now_ms=now_ms)
        assert found is not None
        assert is_worthwhile(found, log.config) is wanted


def test_a_compactor_of_tests_is_the_cleaner() -> None:
    files = MemoryFiles()
    log = filled(files)
    table = table_of(log)
    assert Compactor(files).compact(log) is not None
    assert table_of(log) == table
