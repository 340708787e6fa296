"""Backup and restore: what a copy has, of a broker at rest and at work, and what a crash leaves."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from godel.clock import ManualClock, Randomness
from godel.metadata.memory_store import MemoryStore
from godel.operations.backup import copy_data, copy_database
from godel.operations.broker_directories import data_paths, identity_of
from godel.operations.findings import Tally
from godel.operations.repair import telling_log
from godel.storage.data_directory import DataDirectoryError
from godel.storage.directory_marks import Mark, write_mark
from godel.storage.faulty_files import FaultyFiles, Kind, Operation
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles
from godel.types import TopicPartition
from tests.crash.node import NodeClient, running
from tests.fuzzing import CRASH_STATES, IS_FUZZ, SEED
from tests.operations.kafka import log_bytes, make_durable
from tests.storage.harness import batch_of, put

DATA, OTHER, BACKUP, RESTORED = "data", "other", "backup", "restored"
SHARE = 1.0 if IS_FUZZ else 0.2
"""Of the operations after which the power is cut."""

Look = Callable[[NodeClient], Awaitable[None]]
Records = Mapping[TopicPartition, bytes]


async def copy(
    files: MemoryFiles,
    store: MemoryStore,
    source: str = DATA,
    target: str = BACKUP,
    *,
    meddle: Callable[[int], object] = lambda _size: None,
) -> tuple[MemoryStore, Tally]:
    """Back up, or restore what is not `DATA`; the metadata of the copy."""
    tally, copies = Tally(), list[MemoryStore]()

    async def copy_store() -> MemoryStore:
        copies.append(store.copy())
        return copies[0]

    await copy_data(
        files,
        source,
        target,
        copy_store,
        is_restored=source != DATA,
        tally=tally,
        clock=ManualClock(),
        log=telling_log(lambda _line: None),
        expect=lambda _size: None,
        on_progress=meddle,
    )
    return copies[0].copy(), tally


def on_broker(files: FaultyFiles, store: MemoryStore, look: Look, *, seed: int = 1) -> None:
    async def run() -> None:
        async with running(files, store, ManualClock(), seed=seed) as client:
            await look(client)

    asyncio.run(run())


def write(client: NodeClient, name: str = "t", *, count: int = 1) -> None:
    partition = client.broker.partition(name, 0)
    for _ in range(count):
        data = batch_of([b"%d" % partition.end_offset, b"." * 400])
        partition.append(data, now_ms=client.broker.clock.now_ms())


def stored(client: NodeClient) -> Records:
    """Every batch of every partition."""
    found: dict[TopicPartition, bytes] = {}
    for partition in client.broker.partitions():
        batches: list[bytes] = []
        partition.log.replay(0, lambda _header, data, kept=batches: kept.append(bytes(data)))
        found[partition.id] = b"".join(batches)
    return found


async def fill(client: NodeClient) -> None:
    topics = client.broker.topics
    await topics.create_topic("t", partitions=1, configs={"retention.ms": "-1"})
    await topics.create_topic("u", partitions=2)
    await topics.create_topic("__consumer_offsets", partitions=1)
    write(client, count=20)
    client.broker.partition("t", 0).log.roll()
    write(client, count=5)
    write(client, "u", count=3)
    write(client, "__consumer_offsets")


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def restored(files: FaultyFiles, store: MemoryStore) -> FaultyFiles:
    """A disk on which the restored directory is the broker's."""
    disk = FaultyFiles()
    for name in (".", *files.list_folders(RESTORED)):
        disk.make_folder(f"{DATA}/{name}")
        for file in files.list_files(f"{RESTORED}/{name}"):
            put(disk, f"{DATA}/{name}/{file}", files.read(f"{RESTORED}/{name}/{file}"))
    make_durable(disk)
    return disk


def check_restored(files: FaultyFiles, store: MemoryStore, expected: Records) -> None:
    async def look(client: NodeClient) -> None:
        assert stored(client) == expected

    on_broker(restored(files, store), store.copy(), look)


def test_every_record_comes_back(files: FaultyFiles, store: MemoryStore) -> None:
    before: dict[TopicPartition, bytes] = {}

    async def look(client: NodeClient) -> None:
        await fill(client)
        before.update(stored(client))

    on_broker(files, store, look)
    kept, tally = asyncio.run(copy(files, store.copy()))
    assert (tally.findings, tally.partitions) == ([], 4)
    kept, tally = asyncio.run(copy(files, kept, BACKUP, RESTORED))
    assert tally.findings == []
    check_restored(files, kept, before)


def test_epochs_and_producer_ids_of_a_restored_broker_are_ahead(
    files: FaultyFiles, store: MemoryStore
) -> None:
    async def look(client: NodeClient) -> None:
        await fill(client)
        await client.broker.topics.allocate_producer_ids()

    on_broker(files, store, look)
    kept, _ = asyncio.run(copy(files, store.copy()))
    kept, _ = asyncio.run(copy(files, kept, BACKUP, RESTORED))

    async def look_again(client: NodeClient) -> None:
        assert client.broker.partition("t", 0).leader_epoch == 1000
        assert (await client.broker.topics.allocate_producer_ids()).start == 1_001_000

    on_broker(restored(files, kept), kept.copy(), look_again)


def test_a_broker_at_work_is_copied(files: FaultyFiles, store: MemoryStore) -> None:
    """It writes, rolls, makes and deletes topics at every file that is copied."""
    written: dict[TopicPartition, bytes] = {}
    promised: dict[TopicPartition, bytes] = {}
    order: list[str] = []

    async def look(client: NodeClient) -> None:
        await fill(client)
        promised.update(stored(client))

        def meddle(_size: int) -> None:
            order.extend(files.list_folders(BACKUP)[len(order) :])
            write(client)
            write(client, "__consumer_offsets")
            if len(order) == 2:
                client.broker.partition("t", 0).log.roll()

        kept, tally = await copy(files, store, meddle=meddle)
        assert tally.is_sound
        written.update(stored(client))
        kept, tally = await copy(files, kept, BACKUP, RESTORED)
        assert tally.is_sound
        stores.append(kept)

    stores: list[MemoryStore] = []
    on_broker(files, store, look)
    assert order[0] == "__consumer_offsets-0"

    async def look_again(client: NodeClient) -> None:
        for partition, data in stored(client).items():
            assert data.startswith(promised[partition])
            assert written[partition].startswith(data)

    on_broker(restored(files, stores[0]), stores[0].copy(), look_again)


def test_topics_that_went_or_were_made_anew_meanwhile_have_no_partitions(
    files: FaultyFiles, store: MemoryStore
) -> None:
    """The metadata are copied last: here they are those of a later moment."""
    on_broker(files, store, fill)
    disk, later = files.after_crash(), store.copy()

    async def change(client: NodeClient) -> None:
        await client.broker.topics.delete(["u", "t"])
        await client.broker.topics.create_topic("u", partitions=1)

    on_broker(disk, later, change, seed=2)
    put(files, f"{DATA}/recovery-point-offset-checkpoint", b"0\n0\n")
    _, tally = asyncio.run(copy(files, later.copy()))
    assert tally.findings == []
    assert files.list_folders(BACKUP) == ["__consumer_offsets-0"]


def move(files: MemoryFiles, name: str) -> None:
    """To the broker's second directory."""
    for file in files.list_files(f"{DATA}/{name}"):
        files.make_folder(f"{OTHER}/{name}")
        files.copy(f"{DATA}/{name}/{file}", f"{OTHER}/{name}/{file}", lambda _size: None)
    files.remove_folder(f"{DATA}/{name}")


def add_directory(files: MemoryFiles) -> None:
    identity = identity_of(files, DATA)
    files.make_folder(OTHER)
    write_mark(files, OTHER, Mark(*identity, {}))
    write_mark(files, DATA, Mark(*identity, {bytes(16): DATA, b"1" * 16: OTHER}))


def test_all_directories_of_a_broker_are_copied(files: FaultyFiles, store: MemoryStore) -> None:
    """Also what moves from one to another meanwhile."""
    on_broker(files, store, fill)
    add_directory(files)
    move(files, "u-0")
    before = {
        "t-0": log_bytes(files, f"{DATA}/t-0"),
        "u-0": log_bytes(files, f"{OTHER}/u-0"),
    }

    def meddle(_size: int) -> None:
        if files.exists(f"{DATA}/t-0") and files.exists(f"{BACKUP}/t-0"):
            move(files, "t-0")

    _, tally = asyncio.run(copy(files, store.copy(), meddle=meddle))
    assert tally.findings == []
    assert not files.exists(f"{DATA}/t-0")
    assert {name: log_bytes(files, f"{BACKUP}/{name}") for name in before} == before
    assert data_paths(files, BACKUP) == [BACKUP]


def test_a_directory_that_is_not_there_is_named(files: FaultyFiles, store: MemoryStore) -> None:
    on_broker(files, store, fill)
    add_directory(files)
    files.remove_folder(OTHER)
    with pytest.raises(DataDirectoryError, match="other is not there"):
        asyncio.run(copy(files, store.copy()))
    assert not files.exists(BACKUP)


def test_what_is_damaged_is_said(files: FaultyFiles, store: MemoryStore) -> None:
    on_broker(files, store, fill)
    first = f"{DATA}/t-0/{0:020d}.log"
    data = bytearray(files.read(first))
    data[90] ^= 1
    put(files, first, bytes(data))
    _, tally = asyncio.run(copy(files, store.copy()))
    told = [str(finding) for finding in tally.problems()]
    assert len(told) == 2
    assert told[0].startswith(f"problem: {first} at 0: CRC")
    assert told[1].startswith(f"problem: {DATA}/t-0: records are missing: ")


def test_a_backup_that_is_not_whole_any_more_is_noticed(
    files: FaultyFiles, store: MemoryStore
) -> None:
    on_broker(files, store, fill)
    kept, _ = asyncio.run(copy(files, store.copy()))
    files.remove_folder(f"{BACKUP}/u-0")
    last = sorted(name for name in files.list_files(f"{BACKUP}/t-0") if name.endswith(".log"))[-1]
    files.remove(f"{BACKUP}/t-0/{last}")
    _, tally = asyncio.run(copy(files, kept, BACKUP, RESTORED))
    told = "\n".join(str(finding) for finding in tally.problems())
    assert f"{BACKUP}/u-0: the folder is missing; the log ended at offset 6" in told
    assert f"{BACKUP}/t-0: records are missing" in told


def test_what_stands_in_the_way_is_said(files: FaultyFiles, store: MemoryStore) -> None:
    files.make_folder("empty")
    with pytest.raises(DataDirectoryError, match="empty is not a data directory"):
        asyncio.run(copy(files, store, "empty"))
    on_broker(files, store, fill)
    with pytest.raises(DataDirectoryError, match="lies in data"):
        asyncio.run(copy(files, store, DATA, f"{DATA}/backup"))


@pytest.mark.fuzz
def test_a_power_cut_leaves_all_or_nothing(
    files: FaultyFiles, store: MemoryStore, record_property: Callable[[str, object], None]
) -> None:
    """After every operation of a restore: a whole directory, or one that is filled anew."""
    before: dict[TopicPartition, bytes] = {}

    async def look(client: NodeClient) -> None:
        await fill(client)
        before.update(stored(client))

    on_broker(files, store, look)
    kept, _ = asyncio.run(copy(files, store.copy()))
    make_durable(files)
    states: list[tuple[str, FaultyFiles]] = []
    randomness, sampling = Randomness(SEED), random.Random(SEED)

    def cut(operation: Operation) -> None:
        if operation.kind is not Kind.READ and sampling.random() < SHARE:
            where = f"before {operation.number}, {operation.kind.value} {operation.path}"
            states.append((where, files.after_crash(randomness)))

    files.faults = cut
    done, _ = asyncio.run(copy(files, kept.copy(), BACKUP, RESTORED))
    files.faults = None
    states.append(("at the end", files.after_crash()))
    whole = 0
    for where, disk in states:
        is_whole = disk.exists(f"{RESTORED}/godel.json")
        whole += is_whole
        after = done
        try:
            if not is_whole:
                after, _ = asyncio.run(copy(disk, kept.copy(), BACKUP, RESTORED))
            check_restored(disk, after, before)
        except Exception as failure:
            raise AssertionError(where) from failure
    record_property(CRASH_STATES, len(states))
    assert 0 < whole < len(states)


# -- the metadata file ----------------------------------------------------------------------------


class Meddling(RealFiles):
    """Does something before each copy of a file."""

    def __init__(self, *, meddle: Callable[[], None], times: int) -> None:
        super().__init__()
        self.meddle, self.times = meddle, times

    def copy(self, source: str, target: str, on_copied: Callable[[int], object]) -> None:
        if self.times:
            self.times -= 1
            self.meddle()
        super().copy(source, target, on_copied)


def held_database(path: Path) -> sqlite3.Connection:
    """As a running broker has it."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "wal_autocheckpoint=5"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE numbers (number INTEGER, filler BLOB)")
    return database


def numbers_in(path: Path) -> list[int]:
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [number for (number,) in database.execute("SELECT number FROM numbers")]
    finally:
        database.close()


@pytest.mark.parametrize("times", [0, 1, 2, 5])
def test_metadata_that_are_written_meanwhile_are_consistent(tmp_path: Path, times: int) -> None:
    """Also when the write-ahead log is folded into the file and begun anew between the copies."""
    source, target = tmp_path / "source", tmp_path / "target"
    database, count = held_database(source), 0

    def insert() -> None:
        nonlocal count
        for _ in range(7):
            database.execute("INSERT INTO numbers VALUES (?, ?)", (count, bytes(5000)))
            count += 1

    insert()
    files = Meddling(meddle=insert, times=times)
    copy_database(files, str(source), str(target))
    found = numbers_in(target)
    assert found == list(range(len(found)))
    assert 7 <= len(found) <= count
    database.close()


@pytest.mark.slow
def test_metadata_that_never_keep_still_are_given_up(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    database = held_database(source)

    def insert() -> None:
        for _ in range(7):
            database.execute("INSERT INTO numbers VALUES (1, ?)", (bytes(5000),))

    with pytest.raises(DataDirectoryError, match="does not keep still"):
        copy_database(Meddling(meddle=insert, times=1000), str(source), str(target))
    database.close()


def test_the_log_of_a_partition_is_copied_byte_by_byte(
    files: FaultyFiles, store: MemoryStore
) -> None:
    on_broker(files, store, fill)
    asyncio.run(copy(files, store.copy()))
    for folder in files.list_folders(BACKUP):
        assert log_bytes(files, f"{BACKUP}/{folder}") == log_bytes(files, f"{DATA}/{folder}")
