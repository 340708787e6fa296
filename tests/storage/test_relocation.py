"""A partition moves to another directory: cut off, refused or cancelled at any operation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from errno import ENOSPC

import pytest

from godel.clock import ManualClock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.topic import topic_config
from godel.errors import StorageFailed
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles, Kind, PowerCut
from godel.storage.flusher import Flusher
from godel.storage.layout import MovingFolder
from godel.storage.log import Log
from godel.storage.log_store import LocalLogStore
from godel.storage.memory_files import MemoryFiles
from godel.testing import quiet_log
from godel.types import TopicPartition
from tests.storage.harness import (
    NOW_MS,
    append,
    append_values,
    batch_of,
    read_records,
    says_own_offset,
)

pytestmark = pytest.mark.anyio

PARTITION, TOPIC_ID = TopicPartition("topic", 0), bytes(range(16))
CONFIG = topic_config(BrokerConfig(), {"segment.bytes": "1048576", "segment.ms": "1000"})
TURNS = 200


class Life:
    """A store with one partition, which begins in directory a."""

    def __init__(self, files: MemoryFiles, seed: int = 1) -> None:
        self.files = files
        self.clock = ManualClock(NOW_MS)
        randomness = Randomness(seed)
        self.directories = DataDirectories.open(
            ("a", "b"), files=files, clock=self.clock, randomness=randomness
        )
        self.store = LocalLogStore(
            self.directories,
            flusher=Flusher(files),
            clock=self.clock,
            randomness=randomness,
            log=quiet_log(),
        )
        self.store.set_aside_strays({PARTITION: TOPIC_ID})
        self.log = self.store.open(PARTITION, TOPIC_ID, CONFIG)
        self.store.on_moved = self.moved
        self.flushed = self.log.flushed_offset
        self.mover: asyncio.Task[None] | None = None

    def moved(self, _partition: TopicPartition, log: object) -> None:
        assert isinstance(log, Log)
        self.log = log

    def write(self, count: int) -> None:
        append_values(self.log, count, size=100)
        self.log.flush()
        self.flushed = self.log.flushed_offset

    def fill(self) -> None:
        """Some segments, a snapshot, epochs, and a log start within the first segment."""
        self.log.on_snapshot_due = lambda: self.log.save_producers([])
        for _ in range(3):
            self.write(4)
            self.log.roll()
        self.write(2)
        self.log.truncate_prefix(1)

    async def move(self, path: str = "b") -> None:
        """Move, and write meanwhile."""
        self.store.move(PARTITION, path)
        self.mover = asyncio.ensure_future(self.store.run_moves())
        try:
            for _ in range(TURNS):
                await asyncio.sleep(0)
                if self.mover.done():
                    self.mover.result()
                if not self.store.moves():
                    break
                self.write(1)
        finally:
            self.mover.cancel()
            with suppress(asyncio.CancelledError, PowerCut):
                await self.mover

    def whole(self) -> bool:
        log = self.log
        return says_own_offset(read_records(log), log.log_start_offset, log.end_offset)


def live_folders(files: MemoryFiles) -> list[str]:
    return [path for path in ("a", "b") if files.exists(f"{path}/topic-0")]


def others(files: MemoryFiles) -> list[str]:
    return [
        name
        for path in ("a", "b")
        for name in files.list_folders(path)
        if name.startswith("topic-0.")
    ]


async def until_a_copy_begins(life: Life) -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
        if others(life.files):
            return
    raise AssertionError("nothing is copied")


async def test_a_partition_moves_while_it_is_written_to_and_back() -> None:
    life = Life(MemoryFiles())
    life.fill()
    for path in ("b", "a"):
        before = life.log
        await life.move(path)
        assert life.log is not before
        assert live_folders(life.files) == [path]
        assert others(life.files) == []
        assert (life.log.log_start_offset, life.log.end_offset) == (1, life.flushed)
        assert life.whole()
        assert life.store.directory_path(PARTITION) == path
        with pytest.raises(StorageFailed, match="it has moved"):
            append_values(before, 1)
        life.write(3)
    await life.store.close({})
    again = Life(life.files)
    assert again.directories.was_clean
    assert (again.log.log_start_offset, again.log.end_offset) == (1, life.flushed)
    assert again.whole()


async def cut_at(crash_at: int) -> Life | None:
    """None: the power went before there was a partition."""
    files, life = FaultyFiles(crash_at=crash_at), None
    with suppress(PowerCut):
        life = Life(files)
        life.fill()
        await life.store.save_log_starts()
        await life.move()
        life.write(2)
    files.crash_at = None
    return life


async def count_operations() -> int:
    life = await cut_at(1 << 60)
    assert life is not None
    assert isinstance(life.files, FaultyFiles)
    assert live_folders(life.files) == ["b"]
    return life.files.operations


@pytest.mark.parametrize(
    ("seed", "step"),
    [(None, 9), *(pytest.param(seed, 1, marks=pytest.mark.slow) for seed in (None, 1, 2))],
)
async def test_a_power_cut_at_any_operation_leaves_one_whole_partition(
    seed: int | None, step: int
) -> None:
    for crash_at in range(1, await count_operations() + 1, step):
        life = await cut_at(crash_at)
        if life is None:
            continue
        assert isinstance(life.files, FaultyFiles)
        randomness = None if seed is None else Randomness(seed * 10_000 + crash_at)
        disk = life.files.after_crash(randomness)
        again = Life(disk, seed=2)
        assert len(live_folders(disk)) == 1, crash_at
        assert others(disk) == [], crash_at
        assert again.log.end_offset >= life.flushed, crash_at
        assert again.whole(), crash_at
        await again.move("a" if live_folders(disk) == ["b"] else "b")
        assert again.whole()


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_disk_that_fails_at_any_operation_of_a_move_loses_nothing(step: int) -> None:
    began = Life(FaultyFiles())
    began.fill()
    assert isinstance(began.files, FaultyFiles)
    first, last = began.files.operations + 1, await count_operations()
    for number in range(first, last + 1, step):
        files = FaultyFiles()
        life = Life(files)
        life.fill()
        files.fail(lambda operation, number=number: operation.number == number)  # type: ignore[misc] # bound
        with suppress(StorageFailed):
            await life.move()
        files.faults = None
        if PARTITION not in life.store.offline and life.log.failure is None:
            assert len(live_folders(files)) == 1
            life.write(1)
            assert life.whole()
        flushed = life.flushed
        files.release_locks()
        again = Life(files, seed=2)
        assert len(live_folders(files)) == 1, number
        assert again.log.end_offset >= flushed, number
        assert again.whole(), number


async def test_a_partition_leaves_a_full_disk() -> None:
    """Not even its indexes can be brought up to date there: they are made anew where it goes."""
    files = FaultyFiles()
    life = Life(files)
    life.fill()
    end = life.log.end_offset
    append(life.log, batch_of([b"%d" % end], timestamps=[NOW_MS + 1]))
    files.fail(lambda one: one.kind is Kind.APPEND and one.path.startswith("a/"), error=ENOSPC)
    with pytest.raises(StorageFailed):
        life.write(1)
    life.store.move(PARTITION, "b")
    mover = asyncio.ensure_future(life.store.run_moves())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    mover.cancel()
    assert live_folders(files) == ["b"]
    newest = life.log.max_timestamp(upper_bound=end + 1)
    assert newest is not None
    assert (newest.offset, newest.timestamp_ms) == (end, NOW_MS + 1)
    life.write(3)
    assert life.whole()


async def test_a_move_that_is_given_up_leaves_nothing_behind() -> None:
    life = Life(MemoryFiles())
    life.fill()
    life.store.move(PARTITION, "b")
    mover = asyncio.ensure_future(life.store.run_moves())
    await until_a_copy_begins(life)
    life.store.move(PARTITION, "a")
    for _ in range(TURNS):
        await asyncio.sleep(0)
    mover.cancel()
    assert live_folders(life.files) == ["a"]
    assert others(life.files) == []
    life.write(1)
    assert life.whole()


async def test_a_deleted_partition_is_not_moved() -> None:
    life = Life(MemoryFiles())
    life.fill()
    life.store.move(PARTITION, "b")
    mover = asyncio.ensure_future(life.store.run_moves())
    await until_a_copy_begins(life)
    life.store.delete(PARTITION, CONFIG)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    mover.cancel()
    assert live_folders(life.files) == []
    (left,) = others(life.files)
    assert left.endswith("-delete")


async def test_what_retention_would_delete_waits_for_the_move() -> None:
    life = Life(MemoryFiles())
    life.fill()
    life.log.truncate_prefix(life.log.end_offset)
    count = len(life.log.segments)
    life.log.is_moving = True
    assert life.log.apply_retention(upper_bound=life.log.end_offset) == []
    life.log.delete_old_segments()
    assert len(life.log.segments) == count
    life.log.is_moving = False
    assert life.log.apply_retention(upper_bound=life.log.end_offset)
    life.log.delete_old_segments()
    assert len(life.log.segments) == 1


async def test_a_copy_whose_directory_is_given_up_leaves_the_old_data() -> None:
    life = Life(MemoryFiles())
    life.fill()
    await life.store.close({})
    moved = MovingFolder(PARTITION, "0" * 31 + "1", is_future=False)
    life.files.replace("a/topic-0", f"a/{moved.name}")
    again = Life(life.files)
    assert again.log.end_offset == life.flushed
    assert live_folders(life.files) == ["a"]


async def test_a_move_is_not_judged_while_a_directory_is_offline() -> None:
    life = Life(MemoryFiles())
    life.fill()
    await life.store.close({})
    moved = MovingFolder(PARTITION, "0" * 31 + "1", is_future=False)
    life.files.replace("a/topic-0", f"a/{moved.name}")
    life.files.replace("b", "away")
    with pytest.raises(StorageFailed, match="is the disk mounted"):
        Life(life.files)
    assert life.files.exists(f"a/{moved.name}")
