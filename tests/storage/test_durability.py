from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from pathlib import Path

import pytest

from godel.clock import ManualClock
from godel.errors import StorageFailed
from godel.storage.durability import CACHED_BYTES
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.real_files import RealFiles
from tests.storage.harness import NOW_MS, append_values, open_log

pytestmark = pytest.mark.anyio


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", [Kind.SYNC, Kind.SYNC_FOLDER])
async def test_a_failed_sync_fences(kind: Kind) -> None:
    files = FaultyFiles()
    log = open_log(files)
    calls = []
    log.on_flushed = lambda: calls.append(log.flushed_offset)
    append_values(log, 1)
    files.fail(lambda operation: operation.kind is kind)
    waiting = log.committed(1)
    assert waiting is not None
    with pytest.raises(StorageFailed, match="sync failed"):
        await waiting
    assert calls == [0]
    files.faults = None
    later = log.committed(1)
    assert later is not None
    with pytest.raises(StorageFailed):
        await later
    with pytest.raises(StorageFailed):
        append_values(log, 1)
    assert log.read(0, 1000, upper_bound=1, at_least_one=True) is not None
    with pytest.raises(StorageFailed):
        log.close()


async def test_a_write_that_lacks_a_descriptor_fences_nothing() -> None:
    files = FaultyFiles()
    log = open_log(files)
    files.fail(lambda operation: operation.kind is Kind.APPEND, error=errno.EMFILE)
    with pytest.raises(StorageFailed, match="append failed"):
        append_values(log, 1)
    files.faults = None
    append_values(log, 1)
    assert log.end_offset == 1
    log.close()


async def test_what_is_synced_and_not_written_any_more_keeps_no_descriptor(tmp_path: Path) -> None:
    files = RealFiles()
    log = open_log(files, str(tmp_path / "topic-0"), topic_id=bytes(range(16)))
    log.on_snapshot_due = lambda: log.save_producers([])
    append_values(log, 1)
    for _ in range(10):
        log.roll()
        append_values(log, 1)
    log.flush()
    assert files.open_count == 1
    log.close()
    assert files.open_count == 0


@pytest.mark.parametrize("way", ["outdated", "without its segment"])
async def test_a_snapshot_that_is_removed_before_its_sync_is_not_made_anew(
    way: str, tmp_path: Path
) -> None:
    folder = tmp_path / "topic-0"
    log = open_log(RealFiles(), str(folder), write_caching=True)
    for number in range(3):
        append_values(log, 1)
        if way == "without its segment":
            log.roll()
        log.save_producers([])
        if number == 1:
            log.truncate_prefix(log.end_offset)
            log.delete_old_segments()
    log.flush()
    assert [path.name for path in folder.glob("*.snapshot") if not path.stat().st_size] == []
    log.close()


async def test_a_cached_log_is_synced_by_count() -> None:
    log = open_log(FaultyFiles(), write_caching=True, flush_messages=3)
    for count in (1, 1):
        append_values(log, count)
        await turns()
    assert log.flushed_offset == 0
    append_values(log, 1)
    await turns()
    assert log.flushed_offset == 3


async def test_a_cached_log_is_synced_by_size() -> None:
    log = open_log(FaultyFiles(), write_caching=True, segment_bytes=4 * CACHED_BYTES)
    for _ in range(2):
        append_values(log, 1, size=CACHED_BYTES // 2 - 1_000)
        await turns()
        assert log.flushed_offset == 0
    append_values(log, 1, size=2_000)
    await turns()
    assert log.flushed_offset == 3
    append_values(log, 1, size=2_000)  # it begins anew
    await turns()
    assert log.flushed_offset == 3


async def test_a_cached_log_is_synced_by_time() -> None:
    clock = ManualClock(NOW_MS)
    log = open_log(FaultyFiles(), clock=clock, write_caching=True, flush_ms=500)
    append_values(log, 1)
    clock.advance(300)
    append_values(log, 1)
    clock.advance(199)
    await turns()
    assert log.flushed_offset == 0
    clock.advance(1)
    await turns()
    assert log.flushed_offset == 2
    clock.advance(10_000)
    await turns()
    assert log.flushed_offset == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"flush_ms": 500}), ({"flush_ms": 900}, {"flush_ms": 500}), ({}, {"flush_messages": 2})],
)
async def test_what_is_cached_already_follows_settings_that_have_changed(
    before: dict[str, int], after: dict[str, int]
) -> None:
    clock = ManualClock(NOW_MS)
    log = open_log(FaultyFiles(), clock=clock, write_caching=True, **before)
    append_values(log, 2)
    await turns()
    assert log.flushed_offset == 0
    log.configure(replace(log.config, **after))
    clock.advance(after.get("flush_ms", 0))
    await turns()
    assert log.flushed_offset == 2


async def test_a_cached_log_turned_durable_is_synced() -> None:
    log = open_log(FaultyFiles(), write_caching=True, segment_bytes=4 * CACHED_BYTES)
    append_values(log, 1)
    await turns()
    assert log.flushed_offset == 0
    log.configure(open_log(FaultyFiles(), "other").config)
    await turns()
    assert log.flushed_offset == 1


async def test_a_sync_that_overtakes_another_speaks_for_its_files_too() -> None:
    log = open_log(FaultyFiles(), write_caching=True, segment_bytes=4 * CACHED_BYTES)
    while len(log.segments) < 2:
        append_values(log, 1, size=90)
    durability, closed = log.durability, log.segments[0].file
    first = durability.begin_sync()
    append_values(log, 1)
    second = durability.begin_sync()
    assert first is not None
    assert second is not None
    assert closed in first.files
    assert closed in second.files
    assert set(first.folders) <= set(second.folders)
    durability.end_sync(second, None)
    assert log.flushed_offset == log.end_offset
    assert not durability.is_idle
    assert durability.recovery_point == 0
    durability.end_sync(first, None)
    assert durability.is_idle
    assert durability.recovery_point == log.end_offset


async def test_a_log_whose_records_were_deleted_before_their_sync_is_not_settled() -> None:
    log = open_log(FaultyFiles(), write_caching=True, segment_bytes=4 * CACHED_BYTES)
    append_values(log, 3)
    log.truncate_prefix(3)
    assert log.flushed_offset == 3
    assert not log.durability.is_idle, "a power cut may take the batches, and leave their place"
    log.flush()
    assert log.durability.is_idle
