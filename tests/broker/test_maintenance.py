"""Retention, checkpoints and live settings on a clock that the test moves."""

from __future__ import annotations

import errno
import logging

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.records.partition_log import EpochStart
from godel.server.node import Node
from godel.storage.checkpoint_file import read_offsets
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation
from godel.testing import Broker
from tests.wire import BROKER, NOW_MS, Client, batch, values_of

MINUTE_MS = 60_000
CHECK = {
    "log.retention.check.interval.ms": MINUTE_MS,
    "log.initial.task.delay.ms": MINUTE_MS,
    "connections.max.idle.ms": -1,
}
SHORT = {"retention.ms": 10 * MINUTE_MS, "segment.ms": MINUTE_MS // 2}


def pass_minutes(broker: Broker, count: int) -> None:
    """A round of maintenance begins in each, and ends before the next."""
    for _ in range(count):
        broker.advance(MINUTE_MS)
        for _turn_of_the_loop in range(10):
            broker.run(lambda _node: None)


def produce_at(client: Client, topic: str, minute: int) -> None:
    sent = batch(str(minute), timestamp_ms=NOW_MS + minute * MINUTE_MS)
    assert client.produce(topic, sent).error_code == 0


def earliest(client: Client, topic: str) -> int:
    return int(client.list_offset(topic, -2).offset)


def test_retention_deletes_old_segments() -> None:
    broker = Broker(CHECK, clock=ManualClock(), files=FaultyFiles())
    with broker, Client(broker) as client:
        client.create("short", configs=SHORT | {"file.delete.delay.ms": 1})
        client.create("long", configs=SHORT | {"retention.ms": -1})
        for minute in range(3):
            for topic in ("short", "long"):
                produce_at(client, topic, minute)
            pass_minutes(broker, 1)
        pass_minutes(broker, 7)
        assert earliest(client, "short") == 0
        pass_minutes(broker, 1)
        assert earliest(client, "short") == 1
        gone = client.fetch("short", 0)
        assert gone.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        kept = client.fetch("short", 1)
        assert (values_of(kept), kept.log_start_offset, kept.high_watermark) == (["1"], 1, 3)
        assert client.list_offset("short", 0).offset == 1
        pass_minutes(broker, 10)
        assert (earliest(client, "short"), earliest(client, "long")) == (3, 0)
        empty = client.fetch("short", 3)
        assert (empty.error_code, empty.log_start_offset, empty.high_watermark) == (0, 3, 3)
        produce_at(client, "short", 21)
        pass_minutes(broker, 1)
        disk = broker._files
        segments = [name for name in disk.list_files("memory/short-0") if ".log" in name]
        assert segments == ["00000000000000000003.log"]
    with broker, Client(broker) as client:
        assert (earliest(client, "short"), earliest(client, "long")) == (3, 0)
        assert values_of(client.fetch("short", 3)) == ["21"]


def test_retention_by_size_keeps_the_newest_segments() -> None:
    with Broker(CHECK, clock=ManualClock()) as broker, Client(broker) as client:
        sizes = {"segment.bytes": 1 << 20, "retention.bytes": 1_300_000}
        client.create("t", configs=sizes)
        for _ in range(4):
            client.produce("t", batch("x" * 600_000))
        pass_minutes(broker, 1)
        assert earliest(client, "t") == 1
        assert client.fetch("t", 0).error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_partitions_that_nobody_has_touched_since_the_start_are_not_forgotten() -> None:
    broker = Broker(CHECK, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t", configs=SHORT)
        produce_at(client, "t", 0)
    with broker, Client(broker) as client:
        pass_minutes(broker, 12)
        assert earliest(client, "t") == 1


@pytest.mark.parametrize("level", ["topic", "broker"])
def test_retention_may_be_changed_live(level: str) -> None:
    with Broker(CHECK, clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t", configs={"segment.ms": MINUTE_MS // 2})
        produce_at(client, "t", 0)
        pass_minutes(broker, 5)
        assert earliest(client, "t") == 0
        if level == "topic":
            client.alter("t", {"retention.ms": MINUTE_MS})
        else:
            client.alter("1", {"log.retention.ms": MINUTE_MS}, resource_type=BROKER)
        pass_minutes(broker, 1)
        assert earliest(client, "t") == 1


@pytest.mark.parametrize("level", ["topic", "broker"])
def test_max_message_bytes_may_be_changed_live(level: str) -> None:
    with Broker(clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t")
        small, large = batch("x" * 100), batch("x" * 1000)
        assert client.produce("t", large).error_code == 0
        if level == "topic":
            client.alter("t", {"max.message.bytes": len(small)})
        else:
            client.alter("", {"message.max.bytes": len(small)}, resource_type=BROKER)
        assert client.produce("t", large).error_code == ErrorCode.MESSAGE_TOO_LARGE
        assert client.produce("t", small).error_code == 0
        if level == "topic":
            client.alter("t", {"max.message.bytes": None})
        else:
            client.alter("", {"message.max.bytes": None}, resource_type=BROKER)
        assert client.produce("t", large).error_code == 0


def test_min_insync_replicas_and_compaction_may_be_changed_live() -> None:
    with Broker(clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t")
        client.alter("t", {"min.insync.replicas": 2})
        assert client.produce("t", batch("a")).error_code == ErrorCode.NOT_ENOUGH_REPLICAS
        client.alter("t", {"min.insync.replicas": None, "cleanup.policy": "compact"})
        assert client.produce("t", batch("a")).error_code == ErrorCode.INVALID_RECORD
        client.alter("t", {"cleanup.policy": None, "message.timestamp.type": "LogAppendTime"})
        assert client.produce("t", batch("a")).log_append_time_ms == NOW_MS


def test_a_partition_that_fails_is_reported_and_the_others_are_maintained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = FaultyFiles()

    def fault(operation: Operation) -> Fault | None:
        hit = operation.kind is Kind.RENAME and operation.path.endswith(".log")
        return Fault(errno.EIO) if hit and next(renames) == 0 else None

    renames = iter(range(100))
    broker = Broker(CHECK, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        for topic in ("a", "b"):
            client.create(topic, configs=SHORT)
            produce_at(client, topic, 0)
        disk.faults = fault
        pass_minutes(broker, 12)
        starts = [earliest(client, topic) for topic in ("a", "b")]
        assert starts == [1, 1], "the log starts had moved before anything was deleted"
        assert client.produce("a", batch("x")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert client.produce("b", batch("x")).error_code == 0
    (record,) = (r for r in caplog.records if "maintenance_failed" in r.message)
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize("suffix", [".log", ".timeindex"])
def test_a_segment_that_cannot_be_read_stops_neither_the_broker_nor_its_writers(
    suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyFiles()
    broker = Broker(CHECK, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t", configs={"segment.bytes": 1 << 20, "retention.ms": MINUTE_MS})
        for n in range(4):
            times = {"timestamp_ms": NOW_MS if n else -1}
            client.produce("t", batch("x" * 700_000, **times))
    with broker, Client(broker) as client:
        disk.fail(lambda op: op.kind is Kind.READ and op.path.endswith(suffix))
        pass_minutes(broker, 3)
        disk.faults = None
        assert client.produce("t", batch("x")).base_offset == 4
        pass_minutes(broker, 1)
        assert earliest(client, "t") >= 4
    assert any("maintenance_failed" in record.message for record in caplog.records)


def test_checkpoints_follow_the_logs() -> None:
    disk = FaultyFiles()
    broker = Broker({"write.caching": False}, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a", "b"))

        def checkpoint(name: str) -> dict[str, int]:
            path = f"memory/{name}-offset-checkpoint"
            return {str(key): offset for key, offset in read_offsets(disk, path).items()}

        assert checkpoint("recovery-point") == {}
        pass_minutes(broker, 1)
        assert checkpoint("recovery-point") == {"t-0": 2}
        assert checkpoint("replication") == {"t-0": 2}
        broker.run(lambda node: node.broker.partition("t", 0).truncate_prefix(1))
        pass_minutes(broker, 1)
        assert checkpoint("log-start") == {"t-0": 1}
        broker.crash()
    with broker, Client(broker) as client:
        assert earliest(client, "t") == 1, "the log start is kept through a crash"


def test_a_failed_checkpoint_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    disk = FaultyFiles()
    with Broker(clock=ManualClock(), files=disk) as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
        disk.fail(lambda operation: "offset-checkpoint" in operation.path)
        pass_minutes(broker, 1)
        assert client.produce("t", batch("b")).error_code == 0
        disk.faults = None
    assert any("checkpoint_failed" in record.message for record in caplog.records)


def test_leader_epochs_below_the_log_start_are_forgotten() -> None:
    with Broker(clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t")
        for epoch in (0, 1, 2):

            def lead(node: Node, epoch: int = epoch) -> None:
                node.broker.partition("t", 0).leader_epoch = epoch

            broker.run(lead)
            client.produce("t", batch("a", "b"))

        def cut(node: Node) -> list[EpochStart]:
            partition = node.broker.partition("t", 0)
            partition.truncate_prefix(3)
            partition.log_start_saved()
            return list(partition.log.leader_epochs())

        assert broker.run(cut) == [(1, 3), (2, 4)]


def test_no_segment_goes_before_the_log_start_is_saved() -> None:
    """A power cut may take any of the deletions back: above the log start that would be a hole."""
    disk = FaultyFiles()
    saved: list[str] = []

    def look(operation: Operation) -> Fault | None:
        if operation.kind is Kind.RENAME and operation.path.endswith(".log"):
            left = disk.after_crash()
            saved.append(left.read("memory/log-start-offset-checkpoint").decode())
        return None

    with Broker(CHECK, clock=ManualClock(), files=disk) as broker, Client(broker) as client:
        client.create("t", configs=SHORT)
        produce_at(client, "t", 0)
        disk.faults = look
        pass_minutes(broker, 12)
        assert earliest(client, "t") == 1
    assert saved
    assert all("t 0 1\n" in text for text in saved)
