from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from godel.clock import ManualClock
from godel.errors import StorageFailed
from godel.metrics import Histogram
from godel.storage.files import join
from godel.storage.flusher import Flusher
from godel.storage.real_files import RealFiles
from tests.storage.harness import HeldFiles, append_values, open_log

pytestmark = pytest.mark.anyio


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_round_takes_every_log_that_waits(tmp_path: Path) -> None:
    files = RealFiles()
    flusher = Flusher(files)
    logs = [open_log(files, join(str(tmp_path), f"t-{n}"), flusher=flusher) for n in range(5)]
    waiting = []
    for log in logs:
        append_values(log, 1)
        append_values(log, 1)
        waiting += [log.committed(1), log.committed(2)]
    assert all(future is not None for future in waiting)
    await asyncio.gather(*(future for future in waiting if future is not None))
    assert flusher.rounds == 1
    assert [log.flushed_offset for log in logs] == [2] * 5
    assert logs[0].committed(2) is None
    for log in logs:
        log.close()
    await flusher.close()


async def test_every_sync_is_timed(tmp_path: Path) -> None:
    files, times = RealFiles(), Histogram()
    flusher = Flusher(files, times=times)
    logs = [open_log(files, join(str(tmp_path), f"t-{n}"), flusher=flusher) for n in range(2)]
    for log in logs:
        append_values(log, 1)
        log.flush()
    await asyncio.gather(*(waiting for log in logs if (waiting := log.committed(1)) is not None))
    assert times.value == 2
    assert times.sum_s > 0
    for log in logs:
        log.close()
    await flusher.close()


async def test_a_durable_log_is_synced_without_being_asked(tmp_path: Path) -> None:
    files = RealFiles()
    flusher = Flusher(files)
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    moved = asyncio.Event()
    log.on_flushed = moved.set
    for _ in range(30):
        append_values(log, 1, size=90)
    assert len(log.segments) > 2
    while log.flushed_offset < 30:
        await asyncio.wait_for(moved.wait(), 5)
        moved.clear()
    log.close()
    await flusher.close()


async def test_a_cancelled_wait_disturbs_nobody(tmp_path: Path) -> None:
    files = RealFiles()
    flusher = Flusher(files)
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    append_values(log, 1)
    first, second = log.committed(1), log.committed(1)
    assert isinstance(first, asyncio.Future)
    assert second is not None
    first.cancel()
    await second
    log.close()
    await flusher.close()


async def test_closing_and_deleting_while_a_sync_is_in_flight(tmp_path: Path) -> None:
    files = HeldFiles()
    flusher = Flusher(files)
    closed = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    deleted = open_log(files, join(str(tmp_path), "t-1"), flusher=flusher)
    for log in (closed, deleted):
        append_values(log, 1)
    waiting = [closed.committed(1), deleted.committed(1)]
    await turns()
    deleted.abandon("deleted")
    os.rename(deleted.folder, deleted.folder + "-delete")
    closed.close()
    assert closed.flushed_offset == 1
    assert waiting[0] is not None
    assert waiting[1] is not None
    files.released.set()
    with pytest.raises(StorageFailed, match="deleted"):
        await waiting[1]
    await asyncio.gather(waiting[0], return_exceptions=True)
    await flusher.close()
    assert files.open_count == 0
    with pytest.raises(StorageFailed, match="closed"):
        append_values(closed, 1)
    with pytest.raises(StorageFailed, match="closed"):
        closed.read(0, 100, upper_bound=1, at_least_one=True)


async def test_what_is_asked_for_while_the_last_round_ends_begins_no_other(tmp_path: Path) -> None:
    others = threading.enumerate()
    files = HeldFiles()
    flusher = Flusher(files)
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    append_values(log, 1)
    await turns()
    append_values(log, 1)
    closing = asyncio.ensure_future(flusher.close())
    await turns()
    files.released.set()
    await closing
    await turns()
    assert flusher.rounds == 1
    assert set(threading.enumerate()) <= set(others)
    log.close()
    assert files.open_count == 0


async def test_what_is_asked_for_once_it_is_closed_begins_no_thread_again(tmp_path: Path) -> None:
    others = threading.enumerate()
    files = RealFiles()
    flusher = Flusher(files)
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    await flusher.close()
    append_values(log, 1)
    await turns()
    assert flusher.rounds == 0
    assert set(threading.enumerate()) <= set(others)
    log.close()
    assert log.flushed_offset == 1


class BuggyFiles(HeldFiles):
    """They raise what no disk does, for one folder."""

    def sync_folder(self, folder: str) -> None:
        super().sync_folder(folder)
        if folder.endswith("t-0"):
            raise ValueError("a bug")


async def test_a_bug_in_a_round_is_told_and_keeps_no_other_log_from_the_next(
    tmp_path: Path,
) -> None:
    files = BuggyFiles()
    flusher = Flusher(files)
    logs = [open_log(files, join(str(tmp_path), f"t-{n}"), flusher=flusher) for n in range(2)]
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    append_values(logs[0], 1)
    await turns()
    moved = asyncio.Event()
    logs[1].on_flushed = moved.set
    append_values(logs[1], 1)
    await turns()
    files.released.set()
    await asyncio.wait_for(moved.wait(), 5)
    assert list(map(str, told)) == ["a bug"]
    assert [log.flushed_offset for log in logs] == [0, 1]
    for log in logs:
        log.abandon("the test is over")
    await flusher.close()


async def test_many_logs_are_flushed_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("godel.storage.flusher.MANY_LOGS", 20)
    files = RealFiles()
    flusher = Flusher(files)
    logs = [open_log(files, join(str(tmp_path), f"t-{n}"), flusher=flusher) for n in range(30)]
    for log in logs:
        append_values(log, 2)
    volumes = [str(tmp_path), str(tmp_path / "of no use")]
    await flusher.flush_all([log.durability for log in logs], threads=3, volumes=volumes)
    assert [log.flushed_offset for log in logs] == [2] * 30
    await flusher.close()  # a round may have been under way
    assert all(log.durability.is_idle for log in logs)


async def test_who_waits_for_so_many_written_bytes_is_woken_by_whichever_log(
    tmp_path: Path,
) -> None:
    files = RealFiles()
    flusher = Flusher(files)
    logs = [open_log(files, join(str(tmp_path), f"t-{n}"), flusher=flusher) for n in range(2)]
    append_values(logs[0], 1, size=1000)
    await flusher.written(1000)
    waiting = asyncio.ensure_future(flusher.written(1000))
    append_values(logs[0], 1, size=500)
    await turns()
    assert not waiting.done()
    append_values(logs[1], 1, size=500)
    await turns()
    assert waiting.done()
    for log in logs:
        log.close()
    await flusher.close()


async def test_who_is_cancelled_while_many_logs_are_synced_waits_for_none_of_them(
    tmp_path: Path,
) -> None:
    """A stop on a slow disk: the loop goes on meanwhile, and no file stays pinned."""
    files = HeldFiles()
    flusher = Flusher(files)
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher, write_caching=True)
    append_values(log, 1)
    flushing = asyncio.ensure_future(flusher.flush_all([log.durability], threads=1))
    await turns()
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    closing = asyncio.ensure_future(flusher.close())
    await turns()
    assert not closing.done()
    assert log.flushed_offset == 0
    files.released.set()
    await closing
    assert log.flushed_offset == 1
    assert log.durability.is_idle
    log.close()
    assert files.open_count == 0


async def test_what_can_wait_lets_the_round_under_way_pass(tmp_path: Path) -> None:
    files = HeldFiles()
    flusher = Flusher(files, clock=ManualClock())
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    append_values(log, 1)
    await turns()
    passing = asyncio.ensure_future(flusher.let_pass(1000))
    await turns()
    assert not passing.done()
    files.released.set()
    await passing
    assert log.flushed_offset == 1
    log.close()
    await flusher.close()


async def test_nothing_waits_for_a_round_longer_than_it_may(tmp_path: Path) -> None:
    files, clock = HeldFiles(), ManualClock()
    flusher = Flusher(files, clock=clock)
    log = open_log(files, join(str(tmp_path), "t-0"), flusher=flusher)
    await flusher.let_pass(1000)  # no round: at once
    append_values(log, 1)
    await turns()
    passing = asyncio.ensure_future(flusher.let_pass(1000))
    await turns()
    clock.advance(999)
    await turns()
    assert not passing.done()
    clock.advance(1)
    await passing
    assert log.flushed_offset == 0
    files.released.set()
    await flusher.close()
    log.close()
