"""A broker on a disk that fails here and there: what fails is fenced, the rest is served."""

from __future__ import annotations

import errno

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.storage import layout
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation
from godel.testing import MEMORY, Broker
from tests.disks import DURABLE
from tests.wire import (
    Client,
    batch,
    produce_request,
    values_of,
)


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
