"""The whole node on disks that are slow, fail and forget: what was promised to clients is kept."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from godel.broker.context import Endpoint
from godel.clock import ManualClock, Randomness
from godel.config.sources import from_flags, load
from godel.errors import ErrorCode
from godel.protocol.messages.fetch import FetchResponse
from godel.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from godel.protocol.messages.produce import ProduceResponse
from godel.server.node import Node, advertised, limits
from godel.storage import layout
from godel.storage.data_directory import DataDirectoryError
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation, PowerCut
from godel.storage.log import Log
from godel.testing import MEMORY, Broker
from tests.disks import SlowDisk
from tests.wire import (
    BROKER,
    Client,
    batch,
    fetch_request,
    fetched,
    numbered,
    produce_request,
    produced,
    values_of,
)

DURABLE = {"write.caching": False}
ONE = len(batch("0"))


@pytest.fixture
def disk() -> Iterator[SlowDisk]:
    disk = SlowDisk()
    yield disk
    disk.let_all()


@pytest.fixture
def broker(disk: SlowDisk) -> Iterator[Broker]:
    """Durable, on a slow disk."""
    with Broker(DURABLE, files=disk, clock=ManualClock(), seed=1) as broker:
        yield broker
        disk.let_all()


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        client.create("t")
        yield client


@pytest.fixture
def other(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        yield client


# -- visible means durable -------------------------------------------------------------------------


def test_acks_all_waits_for_the_sync_and_nobody_sees_what_is_not_synced(
    disk: SlowDisk, client: Client, other: Client
) -> None:
    disk.hold()
    client.post(produce_request({("t", 0): batch("a")}, acks=-1))
    assert disk.sync_has_begun()
    assert other.produce("t", batch("b"), acks=1).base_offset == 1, "acks=1 does not wait"
    for isolation_level in (0, 1):
        data = other.fetch("t", 0, isolation_level=isolation_level)
        assert (data.high_watermark, data.last_stable_offset) == (0, 0)
        assert values_of(data) == []
    assert other.fetch("t", 2).error_code == 0, "the end of the log is in range"
    assert other.list_offset("t", -1).offset == 0
    assert other.list_offset("t", 0).offset == -1
    assert other.list_offset("t", -3).offset == -1
    assert client.is_silent()

    disk.let()
    answer = produced(client.take(ProduceResponse))
    assert (answer.error_code, answer.base_offset) == (0, 0)
    assert disk.sync_has_begun()
    assert values_of(other.fetch("t")) == ["a"], "the second batch is in the next sync"
    disk.let_all()
    assert other.produce("t", batch("c")).base_offset == 2
    assert values_of(other.fetch("t")) == ["a", "b", "c"]


def test_a_waiting_fetch_is_woken_by_each_sync(
    disk: SlowDisk, client: Client, other: Client
) -> None:
    disk.hold()
    other.produce("t", batch("a"), acks=1)
    assert disk.sync_has_begun()
    other.produce("t", batch("b"), acks=1)
    client.post(fetch_request({("t", 0): 0}, max_wait_ms=60_000), 12)
    disk.let()
    assert values_of(fetched(client.take(FetchResponse, 12))) == ["a"]
    client.post(fetch_request({("t", 0): 1}, max_wait_ms=60_000), 12)
    disk.let()
    assert values_of(fetched(client.take(FetchResponse, 12))) == ["b"]


def test_min_bytes_count_what_is_synced(disk: SlowDisk, client: Client, other: Client) -> None:
    client.post(fetch_request({("t", 0): 0}, max_wait_ms=60_000, min_bytes=2 * ONE), 12)
    disk.hold()
    other.produce("t", batch("a"), acks=1)
    assert disk.sync_has_begun()
    other.produce("t", batch("b"), acks=1)
    disk.let()
    assert disk.sync_has_begun()
    assert client.is_silent()
    disk.let()
    assert values_of(fetched(client.take(FetchResponse, 12))) == ["a", "b"]


def test_answers_leave_in_the_order_of_requests_though_syncs_take_their_time(
    disk: SlowDisk, client: Client
) -> None:
    client.create("cached", configs={"write.caching": True})
    disk.hold()
    topics = ["t", "cached", "t", "cached"]
    sent = [client.post(produce_request({(topic, 0): batch("a")})) for topic in topics]
    assert disk.sync_has_begun()
    assert client.is_silent()
    disk.let_all()
    for correlation_id, offset in zip(sent, (0, 0, 1, 1), strict=True):
        assert produced(client.take(ProduceResponse)).base_offset == offset
        assert client.taken_correlation_id == correlation_id


def test_a_produce_that_is_not_synced_in_time_is_told_so(
    broker: Broker, disk: SlowDisk, client: Client, other: Client
) -> None:
    disk.hold()
    client.post(produce_request({("t", 0): batch("a")}, timeout_ms=1500))
    assert disk.sync_has_begun()
    broker.advance(1499)
    assert client.is_silent()
    broker.advance(1)
    answer = produced(client.take(ProduceResponse))
    assert (answer.error_code, answer.base_offset) == (ErrorCode.REQUEST_TIMED_OUT, -1)
    disk.let_all()
    assert other.produce("t", batch("b")).base_offset == 1, "it was kept all the same"


def test_a_produce_that_waits_is_answered_when_its_topic_is_deleted(
    disk: SlowDisk, client: Client, other: Client
) -> None:
    disk.hold()
    client.post(produce_request({("t", 0): batch("a")}))
    assert disk.sync_has_begun()
    other.delete("t")
    answer = produced(client.take(ProduceResponse))
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR, "retriable: it is asked for again"
    again = client.produce("t", batch("a"))
    assert again.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    new = other.create("t")
    other.post(produce_request({("t", 0): batch("b")}))
    disk.let_all()
    assert produced(other.take(ProduceResponse)).base_offset == 0
    assert values_of(other.fetch(new)) == ["b"]


def test_a_duplicate_waits_for_the_sync_of_the_first(
    disk: SlowDisk, client: Client, other: Client
) -> None:
    sent = produce_request({("t", 0): numbered("a", producer_id=1, sequence=0)})
    disk.hold()
    client.post(sent)
    assert disk.sync_has_begun()
    other.post(sent)
    other.post(produce_request({("t", 0): b""}, acks=1))
    assert client.is_silent()
    assert other.is_silent()
    disk.let_all()
    for connection in (client, other):
        answer = produced(connection.take(ProduceResponse))
        assert (answer.error_code, answer.base_offset) == (0, 0)


def test_write_caching_shows_at_once_what_is_not_synced(disk: SlowDisk, client: Client) -> None:
    client.create("cached", configs={"write.caching": True})
    disk.hold()
    assert client.produce("cached", batch("a"), acks=-1).error_code == 0
    assert values_of(client.fetch("cached")) == ["a"]


@pytest.mark.parametrize("level", ["topic", "broker"])
def test_write_caching_may_be_changed_while_records_wait(
    disk: SlowDisk, client: Client, other: Client, level: str
) -> None:
    name, kind = ("t", 2) if level == "topic" else ("", BROKER)
    disk.hold()
    other.produce("t", batch("a"), acks=1)
    assert disk.sync_has_begun()
    assert values_of(other.fetch("t")) == []
    other.alter(name, {"write.caching": True}, resource_type=kind)
    assert values_of(other.fetch("t")) == ["a"]
    assert other.produce("t", batch("b"), acks=-1).error_code == 0
    other.alter(name, {"write.caching": None}, resource_type=kind)
    client.post(produce_request({("t", 0): batch("c")}))
    assert values_of(other.fetch("t")) == ["a", "b"], "what was seen stays seen"
    assert client.is_silent()
    disk.let_all()
    assert produced(client.take(ProduceResponse)).base_offset == 2


# -- a disk that fails -----------------------------------------------------------------------------


def failing(*kinds: Kind, folder: str = "bad-0/") -> FaultyFiles:
    """The segments of one partition cannot be written or synced."""

    def fault(operation: Operation) -> Fault | None:
        hit = operation.kind in kinds and folder in operation.path
        return Fault(errno.EIO) if hit and operation.path.endswith(".log") else None

    disk = FaultyFiles()
    disk.faults = fault
    return disk


@pytest.mark.parametrize("is_inline", [True, False], ids=["inline", "thread"])
@pytest.mark.parametrize("kind", [Kind.SYNC, Kind.APPEND])
def test_a_failure_fences_its_partition_and_no_other(
    kind: Kind,
    is_inline: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(FaultyFiles, "is_inline", is_inline)
    disk = failing(kind)
    broker = Broker(DURABLE, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("bad")
        client.create("good")
        both = {("bad", 0): batch("a"), ("good", 0): batch("b")}
        for expected in (0, 1):
            bad, good = client.send(produce_request(both)).responses
            assert bad.partition_responses[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert bad.partition_responses[0].base_offset == -1
            assert good.partition_responses[0].base_offset == expected
        disk.faults = None
        assert client.produce("bad", batch("c")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        acks_1 = client.produce("bad", batch("c"), acks=1)
        assert acks_1.error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert "/" not in (acks_1.error_message or ""), "paths are the operator's affair"
        seen = client.fetch("bad")
        assert (seen.error_code, seen.high_watermark, values_of(seen)) == (0, 0, [])
        assert values_of(client.fetch("good")) == ["b", "b"]
        assert client.leader_epoch("bad") == 0
    (told,) = [record for record in caplog.records if "partition_fenced" in record.message]
    assert "bad-0" in told.message
    with broker, Client(broker) as client:
        assert client.leader_epoch("bad") == 1, "that was no clean stop"
        assert client.produce("bad", batch("d")).error_code == 0
        assert values_of(client.fetch("good")) == ["b", "b"]


def test_a_failed_checkpoint_of_leader_epochs_fences_one_partition() -> None:
    disk = FaultyFiles()
    broker = Broker(DURABLE, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("bad")
        client.create("good")
        disk.fail(lambda operation: "bad-0/leader-epoch-checkpoint" in operation.path)
        both = {("good", 0): batch("b"), ("bad", 0): batch("a")}
        good, bad = client.send(produce_request(both)).responses
        assert good.partition_responses[0].error_code == 0
        assert bad.partition_responses[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR


def test_a_log_that_cannot_be_read_is_told_as_such() -> None:
    disk = FaultyFiles()
    broker = Broker(DURABLE, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
        client.produce("t", batch("b"))
        disk.fail(lambda operation: operation.kind is Kind.READ and ".log" in operation.path)
        assert client.fetch("t").error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.list_offset("t", 0).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.list_offset("t", -3).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        disk.faults = None
        assert values_of(client.fetch("t")) == ["a", "b"]


def test_a_folder_that_cannot_be_made_leaves_one_partition_offline() -> None:
    disk = FaultyFiles()
    with Broker(DURABLE, files=disk, clock=ManualClock()) as broker, Client(broker) as client:
        client.create("good")
        disk.fail(lambda operation: operation.path.startswith("bad-0"))
        client.create("bad")
        assert client.produce("bad", batch("a")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.fetch("bad").error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.list_offset("bad", -1).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.produce("good", batch("a")).error_code == 0
        disk.faults = None
        assert client.produce("bad", batch("a")).error_code == 0


@pytest.mark.parametrize("crashes", [False, True])
def test_a_damaged_partition_stays_offline_and_the_others_are_served(crashes: bool) -> None:
    disk = FaultyFiles()
    broker = Broker(DURABLE, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        for topic in ("bad", "good"):
            client.create(topic)
            client.produce(topic, batch("a"))
        if crashes:
            broker.crash()
    file = broker._files.open("memory/bad-0/partition.metadata")
    file.truncate(0)
    file.append([b"version: 7\n"], 11)
    file.sync()
    with broker, Client(broker) as client:
        assert values_of(client.fetch("good")) == ["a"]
        assert client.fetch("bad").error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.produce("bad", batch("b")).error_code == ErrorCode.KAFKA_STORAGE_ERROR


@pytest.mark.parametrize("kind", list(Kind))
def test_whatever_the_disk_refuses_the_broker_goes_on_and_starts_again(kind: Kind) -> None:
    disk = FaultyFiles()
    settings = DURABLE | {"connections.max.idle.ms": -1}
    broker = Broker(settings, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("kept")
        client.create("t", partitions=2)
        for topic, partition in (("kept", 0), ("t", 0), ("t", 1)):
            assert client.produce(topic, batch("a"), partition=partition).error_code == 0
        disk.fail(
            lambda operation: (
                operation.kind is kind
                and layout.PROBE not in operation.path
                and operation.path != MEMORY
            )
        )
        broker.advance(61_000)
        for _turn_of_the_loop in range(20):
            broker.run(lambda _node: None)
        told = (0, ErrorCode.KAFKA_STORAGE_ERROR)
        assert client.produce("t", batch("b")).error_code in told
        assert client.fetch("t").error_code in told
        assert client.list_offset("t", 0).error_code in told
        client.delete("t")
        client.create("t")
        assert client.produce("t", batch("c")).error_code in told
        assert broker.run(lambda node: node.broker.metrics.bugs.value) == 0
    disk.faults = None
    with broker, Client(broker) as client:
        assert values_of(client.fetch("kept")) == ["a"]
        assert set(values_of(client.fetch("t"))) <= {"c"}, "nothing of the topic before"
        assert client.produce("t", batch("d")).error_code == 0


# -- restarts --------------------------------------------------------------------------------------


def test_a_clean_restart_keeps_everything_and_the_leader_epoch() -> None:
    broker = Broker(clock=ManualClock())
    with broker, Client(broker) as client:
        topic_id = client.create("t")
        for n in range(3):
            client.produce("t", numbered(str(n), producer_id=5, sequence=n))
    for _ in range(2):
        with broker, Client(broker) as client:
            assert client.describe("t").topics[0].topic_id == topic_id
            assert client.leader_epoch("t") == 0
            assert values_of(client.fetch("t")) == ["0", "1", "2"]
            again = client.produce("t", numbered("2", producer_id=5, sequence=2))
            assert (again.error_code, again.base_offset) == (0, 2)
            gap = client.produce("t", numbered("4", producer_id=5, sequence=4))
            assert gap.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_crash_keeps_what_was_acknowledged_by_all_and_raises_the_leader_epoch(
    seed: int | None,
) -> None:
    randomness = None if seed is None else Randomness(seed)
    broker = Broker(DURABLE, files=FaultyFiles(), clock=ManualClock())
    acknowledged: list[str] = []
    for restart in range(3):
        with broker, Client(broker) as client:
            if not restart:
                client.create("t", configs={"segment.bytes": 1 << 20})
            assert client.leader_epoch("t") == restart
            assert values_of(client.fetch("t", current_leader_epoch=restart)) == acknowledged
            for n in range(7):
                sequence = 7 * restart + n
                sent = numbered(str(sequence), producer_id=5, sequence=sequence)
                offset = client.produce("t", sent).base_offset
                assert offset == len(acknowledged)
                acknowledged.append(str(sequence))
            broker.crash(randomness)
    with broker, Client(broker) as client:
        again = numbered("20", producer_id=5, sequence=20)
        assert client.produce("t", again).base_offset == 20
        sixth = numbered("15", producer_id=5, sequence=15)
        assert client.produce("t", sixth).error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert values_of(client.fetch("t", 0)) == acknowledged


def test_a_crash_takes_only_what_nobody_has_seen(
    broker: Broker, disk: SlowDisk, client: Client
) -> None:
    client.produce("t", batch("a"))
    disk.hold()
    assert client.produce("t", batch("b"), acks=1).base_offset == 1
    assert disk.sync_has_begun()
    assert values_of(client.fetch("t")) == ["a"]
    broker.crash()
    with broker, Client(broker) as after:
        assert values_of(after.fetch("t")) == ["a"]
        assert after.produce("t", batch("c")).base_offset == 1
        diverging = after.fetch("t", 2, last_fetched_epoch=0).diverging_epoch
        assert (diverging.epoch, diverging.end_offset) == (0, 1)


def test_a_crash_under_write_caching_loses_what_was_not_synced() -> None:
    broker = Broker(files=FaultyFiles(), clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        client.create("flushed", configs={"flush.messages": 1})
        assert client.produce("t", batch("a")).error_code == 0
        assert client.produce("flushed", batch("a")).error_code == 0
        client.describe()
        broker.crash()
    with broker, Client(broker) as client:
        assert values_of(client.fetch("t")) == []
        assert values_of(client.fetch("flushed")) == ["a"]


def test_many_segments_and_producers_survive_both_kinds_of_stop() -> None:
    broker = Broker(DURABLE, files=FaultyFiles(), clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t", configs={"segment.bytes": 1 << 20})
        for n in range(8):
            sent = numbered("x" * 300_000, producer_id=n, sequence=0)
            assert client.produce("t", sent).base_offset == n
        segments = broker.run(segments_of_t)
        assert segments > 2
    for crashes in (True, False, True):
        with broker, Client(broker) as client:
            for n in range(8):
                sent = numbered("x" * 300_000, producer_id=n, sequence=0)
                assert client.produce("t", sent).base_offset == n
            assert client.list_offset("t", -1).offset == 8
            if crashes:
                broker.crash()


def segments_of_t(node: Node) -> int:
    log = node.broker.partition("t", 0).log
    assert isinstance(log, Log)
    return len(log.segments)


def lived(disk: FaultyFiles) -> tuple[Broker, int]:
    """A broker's life until its end or the power's, and how many records of `t` it acknowledged."""
    broker = Broker(DURABLE, files=disk, clock=ManualClock(), seed=1)
    acknowledged = 0
    with suppress(PowerCut, OSError, AssertionError):  # what a client meets when the power is cut
        broker.start()
        with Client(broker) as client:
            client.create("t", configs={"segment.bytes": 1 << 20})
            for n in range(4):
                sent = numbered(f"old{n}" + "x" * 400_000, producer_id=1, sequence=n)
                acknowledged += client.produce("t", sent).error_code == 0
            client.delete("t")
            acknowledged = 0
            client.create("t")
            for n in range(3):
                sent = numbered(f"new{n}", producer_id=1, sequence=n)
                acknowledged += client.produce("t", sent).error_code == 0
    return broker, acknowledged


def cut_power(broker: Broker, seed: int) -> None:
    try:
        broker.crash(Randomness(seed))
    except RuntimeError:  # it did not even start
        disk = broker._files
        assert isinstance(disk, FaultyFiles)
        broker._files = disk.after_crash(Randomness(seed))


@pytest.mark.slow
def test_a_power_cut_at_any_operation_takes_nothing_that_was_acknowledged() -> None:
    disk = FaultyFiles()
    cut_power(lived(disk)[0], 0)
    for crash_at in range(1, disk.operations + 1):
        broker, acknowledged = lived(FaultyFiles(crash_at=crash_at))
        cut_power(broker, crash_at)
        with broker, Client(broker) as client:
            if not exists(client, "t"):
                assert not acknowledged, crash_at
                continue
            values = values_of(client.fetch("t", partition_max_bytes=10 << 20))
            assert len(values) >= acknowledged, crash_at
            assert len({value[:3] for value in values}) <= 1, "of the old topic or of the new one"
            assert client.produce("t", batch("z")).base_offset == len(values), crash_at


# -- topics that come again ------------------------------------------------------------------------


def exists(client: Client, topic: str) -> bool:
    return client.describe(topic).topics[0].error_code == 0


@pytest.mark.parametrize("restart", ["none", "clean", "crash"])
def test_a_topic_of_the_same_name_never_shows_the_old_ones_data(restart: str) -> None:
    broker = Broker(DURABLE, files=FaultyFiles(), clock=ManualClock())
    with broker, Client(broker) as client:
        old = client.create("t")
        client.produce("t", batch("old"))
        client.delete("t")
        assert not exists(client, "t")
        new = client.create("t")
        assert new != old
        assert client.fetch(old).error_code == ErrorCode.UNKNOWN_TOPIC_ID
        assert client.fetch(new).high_watermark == 0
        assert client.produce("t", batch("new")).base_offset == 0
        if restart == "crash":
            broker.crash()
        if restart != "none":
            broker.stop()
            broker.start()
    if restart != "none":
        with broker, Client(broker) as client:
            assert values_of(client.fetch(new)) == ["new"]
            assert client.fetch(old).error_code == ErrorCode.UNKNOWN_TOPIC_ID


def folders(broker: Broker) -> list[str]:
    disk = broker._files
    return sorted(disk.list_folders("memory"))


@pytest.mark.parametrize("comes_again", ["before", "after", "never"])
def test_a_crash_between_the_deletion_and_the_folder_leaves_no_old_data(comes_again: str) -> None:
    disk = FaultyFiles()
    broker = Broker(DURABLE, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        client.create("other")
        client.produce("t", batch("old"))
        client.produce("other", batch("kept"))
        broker.run(lambda _node: setattr(disk, "crash_at", disk.operations + 1))
        client.delete("t")
        if comes_again == "before":
            client.create("t")
        broker.crash()
    with broker, Client(broker) as client:
        assert values_of(client.fetch("other")) == ["kept"]
        if comes_again == "after":
            client.create("t")
        assert exists(client, "t") is (comes_again != "never")
        if comes_again != "never":
            assert client.fetch("t").high_watermark == 0
            assert client.produce("t", batch("new")).base_offset == 0
            assert values_of(client.fetch("t")) == ["new"]
        kept = ["other-0"] if comes_again == "never" else ["other-0", "t-0"]
        found = [folder for folder in folders(broker) if not folder.endswith("-stray")]
        assert found == kept
        assert len(folders(broker)) == len(kept) + 1, "the old data is set aside"
    with broker, Client(broker) as client:
        assert client.leader_epoch("other") == 1, "the stop before was a clean one"
        if comes_again != "never":
            assert values_of(client.fetch("t")) == ["new"]


def test_a_crash_before_the_folder_is_made_leaves_a_topic_to_use() -> None:
    disk = FaultyFiles()
    broker = Broker(DURABLE, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        broker.run(lambda _node: setattr(disk, "crash_at", disk.operations + 1))
        client.create("t")
        broker.crash()
    with broker, Client(broker) as client:
        assert client.produce("t", batch("a")).base_offset == 0


def test_the_files_of_a_deleted_topic_go_after_their_delay() -> None:
    broker = Broker(DURABLE, files=FaultyFiles(), clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t", partitions=2, configs={"file.delete.delay.ms": 30_000})
        client.produce("t", batch("a"))
        client.delete("t")
        (aside,) = folders(broker)
        assert aside.startswith("t-0.")
        assert aside.endswith("-delete")
        broker.advance(29_999)
        assert folders(broker) == [aside]
        broker.advance(1)
        assert folders(broker) == []


# -- starting and stopping -------------------------------------------------------------------------


def test_two_brokers_do_not_share_a_directory() -> None:
    disk = FaultyFiles()
    with Broker(files=disk), pytest.raises(DataDirectoryError, match="in use by another broker"):
        Broker(files=disk).start()


def test_a_start_that_fails_leaves_the_directory_as_it_was() -> None:
    disk = FaultyFiles()
    broker = Broker(files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = broker.config
        broker.config = load(
            from_flags([("listeners", f"127.0.0.1:{port}"), ("write.caching", "true")])
        ).config
        with pytest.raises(OSError, match=str(port)):
            broker.start()
        broker.config = config
    with broker, Client(broker) as client:
        assert client.leader_epoch("t") == 0
        assert values_of(client.fetch("t")) == ["a"]


def test_ten_brokers_live_side_by_side_each_with_its_own_time() -> None:
    brokers = [Broker(clock=ManualClock()).start() for _ in range(10)]
    try:
        for n, broker in enumerate(brokers):
            with Client(broker) as client:
                client.create("t")
                client.produce("t", batch(str(n)))
        brokers[3].advance(86_400_000)
        for n, broker in enumerate(brokers):
            with Client(broker) as client:
                assert values_of(client.fetch("t")) == [str(n)]
    finally:
        for broker in brokers:
            broker.stop()


@pytest.mark.parametrize(
    ("settings", "bound", "expected"),
    [
        ({}, ("127.0.0.1", 9092), ("127.0.0.1", 9092)),
        ({"listeners": "0.0.0.0:0"}, ("0.0.0.0", 4711), (socket.gethostname(), 4711)),
        ({"listeners": "[::]:0"}, ("::", 4711), (socket.gethostname(), 4711)),
        ({"listeners": "PLAINTEXT://:0"}, ("", 4711), (socket.gethostname(), 4711)),
        ({"advertised.listeners": "kafka.example:1"}, ("0.0.0.0", 4711), ("kafka.example", 1)),
        ({"advertised.listeners": "[::1]:1"}, ("0.0.0.0", 4711), ("::1", 1)),
    ],
)
def test_clients_are_told_an_address_that_they_can_use(
    settings: dict[str, str], bound: tuple[str, int], expected: tuple[str, int]
) -> None:
    config = load(from_flags(settings.items())).config
    assert advertised(config, Endpoint(*bound)) == Endpoint(*expected)


def test_the_advertised_address_stands_in_metadata() -> None:
    settings = {"advertised.listeners": "PLAINTEXT://kafka.example:19092"}
    with Broker(settings) as broker, Client(broker) as client:
        (node,) = client.describe().brokers
        assert (node.host, node.port) == ("kafka.example", 19092)


def test_the_limits_follow_the_configuration() -> None:
    settings = {
        "socket.request.max.bytes": "1000",
        "max.connections": "7",
        "max.connections.per.ip": "3",
        "connections.max.idle.ms": "-1",
        "queued.max.request.bytes": "5000",
    }
    bounds = limits(load(from_flags(settings.items())).config)
    assert bounds.max_request_bytes == 1000
    assert bounds.max_connections == 7
    assert bounds.max_connections_per_ip == 3
    assert bounds.max_idle_ms == -1
    assert bounds.queued_request_bytes == 5000


def test_the_metadata_of_a_restarted_broker_names_its_new_port() -> None:
    broker = Broker()
    for _ in range(2):
        with broker, Client(broker) as client:
            wanted = [MetadataRequestTopic(name="t")]
            response = client.send(MetadataRequest(topics=wanted))
            assert [node.port for node in response.brokers] == [broker.node.endpoint.port]


def test_the_limit_of_connections_is_followed_live() -> None:
    with Broker() as broker, Client(broker) as client:
        with Client(broker) as second:
            second.describe()
        client.alter("1", {"max.connections": 1}, resource_type=BROKER)
        with Client(broker) as refused:
            assert refused.socket.recv(1) == b"", "closed at once"
        client.alter("1", {"max.connections": None}, resource_type=BROKER)
        with Client(broker) as third:
            third.describe()


@pytest.mark.parametrize(("error", "bugs"), [(RuntimeError("a bug"), 1), (OSError("no room"), 0)])
def test_what_nobody_catches_is_logged_and_a_bug_counted(
    error: Exception, bugs: int, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    with Broker() as broker:
        broker.run(lambda _node: asyncio.get_running_loop().call_soon(fail))
        assert broker.run(lambda node: node.broker.metrics.bugs.value) == bugs
        with Client(broker) as client:
            client.describe()
    (told,) = (record for record in caplog.records if "unforeseen_error" in record.message)
    assert str(error) in told.message
