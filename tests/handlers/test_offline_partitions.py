"""A broker with two disks, one of which fails: what clients are told, and what goes on."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode, StorageFailed
from godel.protocol.messages.describe_log_dirs import DescribeLogDirsRequest
from godel.protocol.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from godel.protocol.messages.fetch import FetchResponse
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.wire import Client, batch, fetch_request, fetched, values_of

SETTINGS = {"log.dirs": "a,b", "write.caching": False, "connections.max.idle.ms": -1}
LOST = ErrorCode.KAFKA_STORAGE_ERROR
ON_A, ON_B = 0, 1


@pytest.fixture
def disks() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def broker(disks: FaultyFiles) -> Iterator[Broker]:
    """With the partitions of topic t alternately on a and b."""
    broker = Broker(SETTINGS, files=disks, clock=ManualClock(), seed=1)
    with broker:
        with Client(broker) as client:
            client.create("t", partitions=4)
            for partition in (ON_A, ON_B):
                assert client.produce("t", batch("kept"), partition=partition).error_code == 0
        yield broker


def take_turns(broker: Broker) -> None:
    for _turn_of_the_loop in range(10):
        broker.run(lambda _node: None)


def break_disk(broker: Broker, disks: FaultyFiles, path: str, error: int = errno.EIO) -> None:
    """Whatever is written there fails; the checkpoint round notices."""
    disks.fail(
        lambda operation: operation.path.startswith(path) and operation.kind is not Kind.READ,
        error=error,
    )
    broker.advance(61_000)
    take_turns(broker)


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS, errno.ENODEV])
def test_a_failed_disk_takes_only_its_partitions_offline(
    broker: Broker, disks: FaultyFiles, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(broker) as client:
        break_disk(broker, disks, "b", error)
        assert client.produce("t", batch("x"), partition=ON_B).error_code == LOST
        assert client.fetch("t", partition=ON_B).error_code == LOST
        assert client.fetch("t", 1, partition=ON_B).error_code == LOST
        for timestamp in (-1, -2, 0):
            assert client.list_offset("t", timestamp, partition=ON_B).error_code == LOST
        assert client.produce("t", batch("more"), partition=ON_A).error_code == 0
        assert values_of(client.fetch("t", partition=ON_A)) == ["kept", "more"]
        for untouched in (2, 3):
            assert client.produce("t", batch("new"), partition=untouched).error_code == 0
        assert disks.exists("a/t-3")
    (told,) = (r for r in caplog.records if "directory_offline" in r.message)
    assert "'b'" in told.message


def test_nobody_leads_what_is_offline(broker: Broker, disks: FaultyFiles) -> None:
    with Client(broker) as client:
        break_disk(broker, disks, "b")
        old = client.describe("t").topics[0].partitions
        new = (
            client.send(DescribeTopicPartitionsRequest([TopicRequest("t")], 2000))
            .topics[0]
            .partitions
        )
        assert [p.error_code for p in old[:2]] == [0, ErrorCode.LEADER_NOT_AVAILABLE]
        assert [p.error_code for p in new[:2]] == [0, 0]
        for partitions in (old, new):
            assert [p.leader_id for p in partitions[:2]] == [1, -1]
            assert [p.offline_replicas for p in partitions[:2]] == [[], [1]]
            assert [p.isr_nodes for p in partitions[:2]] == [[1], []]
        assert [p.eligible_leader_replicas for p in new[:2]] == [[], [1]]
        assert [p.last_known_elr for p in new[:2]] == [[], [1]]


def test_log_dirs_tell_which_is_offline(broker: Broker, disks: FaultyFiles) -> None:
    with Client(broker) as client:
        results = client.send(DescribeLogDirsRequest(None)).results
        assert [(r.error_code, r.log_dir) for r in results] == [(0, "a"), (0, "b")]
        told = [[p.partition_index for t in r.topics for p in t.partitions] for r in results]
        assert told == [[0, 2], [1, 3]]
        break_disk(broker, disks, "b")
        a, b = client.send(DescribeLogDirsRequest(None)).results
        assert (a.error_code, b.error_code, b.topics) == (0, LOST, [])
        assert [p.partition_index for t in a.topics for p in t.partitions] == [0, 2, 3]


def test_a_parked_fetch_is_told(broker: Broker, disks: FaultyFiles) -> None:
    with Client(broker) as client:
        client.post(fetch_request({("t", ON_B): 1}, max_wait_ms=1_000_000), 12)
        break_disk(broker, disks, "b")
        assert fetched(client.take(FetchResponse, 12)).error_code == LOST


def test_a_vanished_disk_is_noticed(broker: Broker, disks: FaultyFiles) -> None:
    with Client(broker) as client:
        disks.remove_folder("b")
        broker.advance(61_000)
        take_turns(broker)
        assert client.produce("t", batch("x"), partition=ON_B).error_code == LOST
        assert client.produce("t", batch("x"), partition=ON_A).error_code == 0
        assert not disks.exists("b")


def test_a_disk_that_comes_back_has_its_partitions_again_after_a_start(
    broker: Broker, disks: FaultyFiles
) -> None:
    break_disk(broker, disks, "b")
    broker.stop()
    disks.faults = None
    broker.start()
    with Client(broker) as client:
        assert values_of(client.fetch("t", partition=ON_B)) == ["kept"]
        assert client.produce("t", batch("more"), partition=ON_B).error_code == 0


def test_a_disk_that_is_gone_at_the_start_leaves_no_empty_partitions_behind(
    broker: Broker, disks: FaultyFiles
) -> None:
    broker.stop()
    disks.replace("b", "away")
    broker.start()
    with Client(broker) as client:
        assert client.produce("t", batch("x"), partition=ON_B).error_code == LOST
        assert values_of(client.fetch("t", partition=ON_A)) == ["kept"]
        client.create("new", partitions=2)
        for partition in range(2):
            assert client.produce("new", batch("x"), partition=partition).error_code == 0
    broker.stop()
    disks.replace("away", "b")
    broker.start()
    with Client(broker) as client:
        assert values_of(client.fetch("t", partition=ON_B)) == ["kept"]


def test_a_single_bad_file_costs_one_partition(broker: Broker, disks: FaultyFiles) -> None:
    with Client(broker) as client:
        assert client.produce("t", batch("x"), partition=3).error_code == 0
        disks.fail(lambda o: o.kind is Kind.SYNC and o.path.startswith("b/t-1/"))
        assert client.produce("t", batch("x"), partition=ON_B).error_code == LOST
        take_turns(broker)
        assert values_of(client.fetch("t", partition=ON_B)) == ["kept"]
        assert client.produce("t", batch("y"), partition=3).error_code == 0


def test_a_full_disk_is_not_a_failed_one(broker: Broker, disks: FaultyFiles) -> None:
    with Client(broker) as client:
        break_disk(broker, disks, "b", errno.ENOSPC)
        assert client.produce("t", batch("x"), partition=ON_B).error_code == LOST
        assert values_of(client.fetch("t", partition=ON_B)) == ["kept"]
        disks.faults = None
        assert client.produce("t", batch("more"), partition=ON_B).error_code == 0
        assert values_of(client.fetch("t", partition=ON_B)) == ["kept", "more"]


@pytest.mark.parametrize("failed", ["a", ""])
def test_without_the_metadatas_disk_the_broker_stops(failed: str) -> None:
    disks = FaultyFiles()
    broker = Broker(SETTINGS, files=disks, clock=ManualClock()).start()
    with Client(broker) as client:
        disks.fail(lambda operation: operation.path.startswith(failed))
        broker.run(lambda _node: broker.clock.advance(61_000))  # type: ignore[attr-defined] # manual
        assert client.is_closed()
    with pytest.raises(StorageFailed, match="Shutdown broker because"):
        broker.stop()
    disks.faults = None
    with broker, Client(broker) as client:
        client.create("t")
        assert client.produce("t", batch("x")).error_code == 0
