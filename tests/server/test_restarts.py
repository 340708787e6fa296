"""Clean stops, crashes and power cuts: what was promised is kept, what was deleted stays away."""

from __future__ import annotations

from contextlib import suppress

import pytest

from godel.clock import ManualClock, Randomness
from godel.errors import ErrorCode
from godel.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from godel.server.node import Node
from godel.storage.faulty_files import FaultyFiles, PowerCut
from godel.storage.log import Log
from godel.storage.memory_files import MemoryFiles
from godel.testing import Broker
from godel.types import TopicPartition
from tests.disks import DURABLE
from tests.wire import (
    Client,
    batch,
    numbered,
    values_of,
)


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


def test_who_has_read_what_is_gone_after_a_clean_stop_learns_it_by_the_leader_epoch() -> None:
    files = MemoryFiles()
    broker = Broker(DURABLE, files=files, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        for value in "abc":
            assert client.produce("t", batch(value)).error_code == 0
        kept_bytes = broker.run(size_of_t) // 3 * 2
    files.open(f"memory/t-0/{0:020d}.log").truncate(kept_bytes)
    for _ in range(2):  # a clean stop after it changes nothing
        with broker, Client(broker) as client:
            assert client.leader_epoch("t") == 1
            assert end_of_epoch(client, 0) == 2
            stale = client.fetch("t", 3, current_leader_epoch=0)
            assert stale.error_code == ErrorCode.FENCED_LEADER_EPOCH
            assert values_of(client.fetch("t", current_leader_epoch=1))[:2] == ["a", "b"]
            client.produce("t", batch("d"))


def size_of_t(node: Node) -> int:
    return node.broker.logs.size_bytes(TopicPartition("t", 0))


def end_of_epoch(client: Client, epoch: int) -> int:
    wanted = OffsetForLeaderPartition(0, current_leader_epoch=-1, leader_epoch=epoch)
    topic = OffsetForLeaderTopic(topic="t", partitions=[wanted])
    answer = client.send(OffsetForLeaderEpochRequest(replica_id=-1, topics=[topic]), 4)
    return int(answer.topics[0].partitions[0].end_offset)


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
