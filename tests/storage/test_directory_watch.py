from __future__ import annotations

import asyncio
import errno
from contextlib import suppress

import pytest
import structlog
from structlog.testing import capture_logs

from godel.clock import ManualClock, Randomness
from godel.errors import DiskFull, StorageFailed
from godel.storage.data_directory import DataDirectory
from godel.storage.directory_watch import DirectoryWatch
from godel.storage.faulty_files import FaultyFiles, Kind
from tests.storage.harness import NOW_MS

pytestmark = pytest.mark.anyio


class Watched:
    """Two directories on disks of their own."""

    def __init__(self) -> None:
        self.files = FaultyFiles()
        self.working = [
            DataDirectory.open(
                path, files=self.files, clock=ManualClock(NOW_MS), randomness=Randomness(seed)
            )
            for seed, path in enumerate(("a", "b"))
        ]
        self.failed: list[tuple[str, str]] = []
        self.watch = DirectoryWatch(self.working, self.fail, log=structlog.get_logger())

    def fail(self, directory: DataDirectory, reason: str) -> None:
        self.failed.append((directory.path, reason))
        self.working.remove(directory)

    def break_disk(self, path: str, error: int = errno.EIO) -> None:
        self.files.fail(
            lambda one: one.kind is Kind.APPEND and one.path.startswith(path), error=error
        )

    async def run(self) -> None:
        task = asyncio.ensure_future(self.watch.run())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_directory_that_refuses_even_a_small_file_has_failed() -> None:
    watched = Watched()
    watched.break_disk("b")
    with pytest.raises(StorageFailed), watched.watch.suspecting(watched.working[1]):
        raise OSError(errno.EIO, "bad")
    await watched.run()
    assert [path for path, _ in watched.failed] == ["b"]
    assert "b: " in watched.failed[0][1]


async def test_one_that_takes_it_has_not() -> None:
    watched = Watched()
    watched.watch.suspect(watched.working[1], OSError(errno.EIO, "bad"))
    await watched.run()
    assert watched.failed == []


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE])
async def test_one_that_is_full_or_lacks_descriptors_has_not_failed(error: int) -> None:
    watched = Watched()
    watched.break_disk("b", error)
    watched.watch.ask(watched.working)
    await watched.run()
    assert watched.failed == []


async def test_that_a_disk_is_full_is_no_reason_to_try_it() -> None:
    watched = Watched()
    watched.break_disk("b")
    watched.watch.suspect(watched.working[1], OSError(errno.ENOSPC, "full"))
    await watched.run()
    assert watched.failed == []


async def test_that_a_disk_is_full_is_said_once_until_it_is_so_no_more() -> None:
    watched = Watched()
    directory = watched.working[1]

    def be_refused() -> None:
        with pytest.raises(DiskFull), watched.watch.suspecting(directory):
            raise OSError(errno.ENOSPC, "no space", "b/t-0/1.log")

    with capture_logs() as lines:
        for _ in range(3):
            be_refused()
        watched.watch.ask(watched.working)
        await watched.run()  # a small file there was space for
        be_refused()
    (line,) = lines
    assert (line["event"], line["directory"], line["log_level"]) == ("disk_full", "b", "error")
    assert "no space: 'b/t-0/1.log'" in line["reason"].lower()
    with capture_logs() as lines:
        for _ in range(3):
            watched.watch.ask(watched.working)
            await watched.run()
    assert [(line["event"], line["directory"]) for line in lines] == [("disk_full_no_more", "b")]
    with capture_logs() as lines:
        watched.break_disk("b", errno.ENOSPC)
        watched.watch.ask(watched.working)
        await watched.run()
    assert [line["event"] for line in lines] == ["disk_full"]


async def test_one_that_has_failed_meanwhile_is_not_failed_twice() -> None:
    watched = Watched()
    watched.break_disk("b")
    watched.watch.ask(watched.working)
    watched.working.pop()
    await watched.run()
    assert watched.failed == []
