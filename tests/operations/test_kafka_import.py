"""Importing into a new directory: what arrives, and that a crash leaves all of it or nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from godel.clock import ManualClock, Randomness
from godel.metadata.memory_store import MemoryStore
from godel.operations.broker_directories import Identity
from godel.operations.findings import Tally
from godel.operations.kafka_import import import_kafka
from godel.operations.repair import telling_log
from godel.records.partition_log import ProducerEntry
from godel.storage.data_directory import DataDirectory, DataDirectoryError
from godel.storage.faulty_files import FaultyFiles, Kind, Operation
from godel.storage.memory_files import MemoryFiles
from godel.storage.producer_snapshot import read_producers, write_producers
from tests.crash.node import NodeClient, running
from tests.fuzzing import CRASH_STATES, IS_FUZZ, SEED
from tests.operations.kafka import (
    CLUSTER_ID,
    NEXT_PRODUCER_ID,
    PATH,
    PRODUCER_ID,
    QUORUM,
    log_bytes,
    make_durable,
    topic_id,
    write_kafka,
)
from tests.storage.harness import append_values, open_log, put
from tests.storage.test_aborted import ABORT, COMMIT, Writer

TARGET = "data"
SHARE = 1.0 if IS_FUZZ else 0.15
"""Of the operations after which the power is cut."""

PARTITIONS = (("t", 0), ("t", 1), ("c", 0))


def run_import(files: MemoryFiles, store: MemoryStore) -> tuple[Identity, Tally]:
    tally = Tally()

    async def open_store() -> MemoryStore:
        return store

    async def run() -> Identity:
        return await import_kafka(
            files,
            (PATH,),
            TARGET,
            open_store,
            tally=tally,
            clock=ManualClock(),
            randomness=Randomness(1),
            log=telling_log(lambda _line: None),
            expect=lambda _size: None,
            on_progress=lambda _size: None,
        )

    return asyncio.run(run()), tally


def on_broker(
    files: FaultyFiles, store: MemoryStore, look: Callable[[NodeClient], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with running(files, store.copy(), ManualClock(), seed=1) as client:
            await look(client)

    asyncio.run(run())


@pytest.fixture
def files() -> FaultyFiles:
    files = FaultyFiles()
    write_kafka(files)
    put(files, f"{PATH}/meta.properties", b"version=1\ncluster.id=%s\n" % CLUSTER_ID.encode())
    make_durable(files)
    return files


def contents(files: MemoryFiles, folder: str = PATH) -> dict[str, bytes]:
    paths = [f"{folder}/{name}" for name in files.list_files(folder)]
    found = {path: files.read(path) for path in paths}
    for name in files.list_folders(folder):
        found |= contents(files, f"{folder}/{name}")
    return found


async def check_records(client: NodeClient, files: MemoryFiles) -> None:
    for name, number in PARTITIONS:
        partition = client.broker.partition(name, number)
        partition.open()
        start = 7 if (name, number) == ("t", 1) else 0
        assert (partition.log_start_offset, partition.high_watermark) == (
            start,
            91 if name == "c" else 62,
        )
        assert stored(client, name, number) == log_bytes(files, f"{PATH}/{name}-{number}")


def stored(client: NodeClient, name: str, number: int) -> bytes:
    """Every batch of a partition, also what lies below its start."""
    batches: list[bytes] = []
    log = client.broker.partition(name, number).log
    log.replay(0, lambda _header, data: batches.append(bytes(data)))
    return b"".join(batches)


def test_every_batch_is_served_as_it_was(files: FaultyFiles) -> None:
    before, store = contents(files), MemoryStore()
    identity, tally = run_import(files, store)
    assert contents(files) == before
    assert identity == Identity(CLUSTER_ID, 1)
    assert (tally.is_sound, tally.partitions) == (True, 3)

    async def look(client: NodeClient) -> None:
        await check_records(client, files)
        image = client.broker.metadata.image
        assert image.cluster_id == CLUSTER_ID
        assert image.topics["t"].id == topic_id("t")
        assert image.topics["t"].overrides == {"retention.ms": "-1"}
        assert image.broker_config.log_retention_ms == 5000
        assert image.client_quotas == {(("user", "alice"),): {"producer_byte_rate": 5000.0}}
        assert image.group_overrides["readers"] == {"consumer.session.timeout.ms": "50000"}

    on_broker(files, store, look)


def begin_transactions(files: FaultyFiles) -> Writer:
    log = open_log(files, f"{PATH}/t-0", segment_bytes=1 << 20)
    assert log.end_offset == 62
    writer = Writer(log)
    writer.data(7)
    writer.data(8)
    writer.data(7)
    return writer


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_transactions_that_were_open_are_a_problem(files: FaultyFiles, has_snapshot: bool) -> None:
    writer = begin_transactions(files)
    if has_snapshot:
        writer.roll()
    writer.log.flush()
    _, tally = run_import(files, MemoryStore())
    (found,) = tally.problems()
    assert found.path == f"{PATH}/t-0"
    assert "(producer 7 from offset 62, producer 8 from offset 63)" in found.what
    assert "readers of committed records get no farther; start Apache Kafka" in found.what


def test_transactions_that_have_ended_are_no_problem(files: FaultyFiles) -> None:
    writer = begin_transactions(files)
    writer.roll()
    writer.end(8, ABORT)
    writer.end(7, COMMIT)
    writer.log.flush()
    assert run_import(files, MemoryStore())[1].is_sound


def test_a_transaction_is_open_though_its_records_were_deleted(files: FaultyFiles) -> None:
    writer = begin_transactions(files)
    writer.end(8, ABORT)
    writer.roll()
    append_values(writer.log, 2)
    writer.log.truncate_prefix(66)
    writer.log.delete_old_segments()
    writer.log.flush()
    _, tally = run_import(files, MemoryStore())
    (found,) = tally.problems()
    assert "(producer 7 from offset 62): readers of committed records" in found.what


def test_epochs_and_producer_ids_begin_above_those_there_were(files: FaultyFiles) -> None:
    store = MemoryStore()
    run_import(files, store)

    async def look(client: NodeClient) -> None:
        epochs = [client.broker.partition(*one).leader_epoch for one in PARTITIONS]
        assert epochs == [10, 10, 10]
        assert client.broker.partition("t", 0).epoch_at(61) == 9
        allocated = await client.broker.topics.allocate_producer_ids()
        assert allocated.start == NEXT_PRODUCER_ID
        (producer,) = client.broker.partition("t", 0).producers.snapshot()
        assert producer[:4] == (PRODUCER_ID, 0, 1, 61)

    on_broker(files, store, look)


def test_without_the_quorum_producer_ids_are_read_from_snapshots(files: FaultyFiles) -> None:
    files.remove_folder(QUORUM)
    snapshots = [name for name in files.list_files(f"{PATH}/t-0") if name.endswith(".snapshot")]
    assert not snapshots
    entry = ProducerEntry(PRODUCER_ID, 0, 1, 61, 1, 0, -1, -1)
    write_producers(files, f"{PATH}/t-0", 62, [entry])
    store = MemoryStore()
    run_import(files, store)
    assert read_producers(files, f"{TARGET}/t-0", 62) == [entry]

    async def look(client: NodeClient) -> None:
        await check_records(client, files)  # with gaps, though nothing says that `c` was compacted
        allocated = await client.broker.topics.allocate_producer_ids()
        assert allocated.start == PRODUCER_ID + 1_000_000

    on_broker(files, store, look)


def test_what_is_not_taken_over_is_said(files: FaultyFiles) -> None:
    _, tally = run_import(files, MemoryStore())
    told = [f"{finding.path}: {finding.what}" for finding in tally.findings]
    assert len(told) == 4
    assert "topic t: the setting segment.bytes=14 is left out" in told[0]
    assert "broker default: the setting log.dirs=/kafka is left out" in told[1]
    assert told[2].startswith("ip default: the quota connection_creation_rate=5.0 is left out: ")
    assert told[3] == "the quorum's log: ACLs are not imported (1 records)"


def test_a_torn_end_is_a_note_and_damage_a_problem(files: FaultyFiles) -> None:
    logs = sorted(name for name in files.list_files(f"{PATH}/t-0") if name.endswith(".log"))
    last = f"{PATH}/t-0/{logs[-1]}"
    put(files, last, files.read(last)[:-5])
    _, tally = run_import(files, MemoryStore())
    assert tally.is_sound
    assert any("torn end of a crash" in finding.what for finding in tally.findings)

    first = f"{PATH}/t-0/{logs[0]}"
    data = bytearray(files.read(first))
    data[90] ^= 1
    put(files, first, bytes(data))
    files.remove_folder(TARGET)
    _, tally = run_import(files, MemoryStore())
    (found,) = tally.problems()
    assert (found.path, found.position) == (first, 0)
    assert "CRC" in found.what
    assert ".corrupt" in found.what


def test_kafka_that_runs_is_not_copied(files: FaultyFiles) -> None:
    lock = files.lock_out_kafka(f"{PATH}/.lock")
    with pytest.raises(DataDirectoryError, match="in use by Apache Kafka"):
        run_import(files, MemoryStore())
    assert not files.exists(TARGET)
    lock.close()
    run_import(files, MemoryStore())
    files.lock_out_kafka(f"{PATH}/.lock").close()


def test_a_directory_with_something_in_it_is_left_alone(files: FaultyFiles) -> None:
    files.make_folder(TARGET)
    put(files, f"{TARGET}/precious", b"?")
    with pytest.raises(DataDirectoryError, match="not empty \\(it holds 'precious'\\)"):
        run_import(files, MemoryStore())
    files.remove(f"{TARGET}/precious")
    run_import(files, MemoryStore())
    with pytest.raises(DataDirectoryError, match="has a broker's data already"):
        run_import(files, MemoryStore())


def test_a_broker_does_not_start_on_half_an_import(files: FaultyFiles) -> None:
    files.fail(lambda operation: operation.path.endswith("recovery-point-offset-checkpoint.tmp"))
    with pytest.raises(OSError, match="injected"):
        run_import(files, MemoryStore())
    files.faults = None
    with pytest.raises(DataDirectoryError, match="run that again"):
        open_directory(files)
    run_import(files, store := MemoryStore())
    on_broker(files, store, lambda client: check_records(client, files))


def open_directory(files: MemoryFiles) -> DataDirectory:
    return DataDirectory.open(
        TARGET, files=files, clock=ManualClock(), randomness=Randomness(1), node_id=1
    )


@pytest.mark.slow
@pytest.mark.fuzz
def test_a_power_cut_leaves_all_or_nothing(
    files: FaultyFiles, record_property: Callable[[str, object], None]
) -> None:
    """After every operation of an import: a whole directory, or one that is filled anew."""
    states: list[tuple[str, FaultyFiles, MemoryStore]] = []
    store, randomness = MemoryStore(), Randomness(SEED)
    sampling = random.Random(SEED)

    def cut(operation: Operation) -> None:
        if operation.kind is not Kind.READ and sampling.random() < SHARE:
            where = f"before {operation.number}, {operation.kind.value} {operation.path}"
            states.append((where, files.after_crash(randomness), store.copy()))

    files.faults = cut
    run_import(files, store)
    files.faults = None
    states.append(("at the end", files.after_crash(), store))
    whole = 0
    for where, disk, kept in states:
        is_whole = disk.exists(f"{TARGET}/godel.json")
        whole += is_whole
        if not is_whole:
            run_import(disk, kept := MemoryStore())
        try:
            on_broker(disk, kept, lambda client, disk=disk: check_records(client, disk))
        except Exception as failure:
            raise AssertionError(where) from failure
    record_property(CRASH_STATES, len(states))
    assert 0 < whole < len(states)
