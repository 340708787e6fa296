"""Compaction through the whole broker, on a clock that the test moves."""

from __future__ import annotations

import errno
from collections.abc import Mapping

import pytest

from godel.clock import ManualClock
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.records.batch import Record
from godel.records.builder import NewRecord
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.broker.test_groups import committed, find_coordinator
from tests.broker.test_maintenance import MINUTE_MS, pass_minutes
from tests.wire import NOW_MS, Client, batch, records_of

OFTEN = {
    "log.cleaner.backoff.ms": MINUTE_MS,
    "log.retention.check.interval.ms": MINUTE_MS,
    "log.cleaner.min.cleanable.ratio": 0.01,
    "log.roll.ms": MINUTE_MS // 2,
    "connections.max.idle.ms": -1,
}
COMPACTED = {"cleanup.policy": "compact"}


def broker_with(
    disk: FaultyFiles | None = None, settings: Mapping[str, object] | None = None
) -> Broker:
    return Broker(OFTEN | dict(settings or {}), clock=ManualClock(), files=disk or FaultyFiles())


def put(
    client: Client, key: str, value: str | None, minute: int, topic: str = "t", **options: int
) -> int:
    record = NewRecord(key.encode(), None if value is None else value.encode())
    sent = batch(record, timestamp_ms=NOW_MS + minute * MINUTE_MS, **options)
    answer = client.produce(topic, sent)
    assert answer.error_code == 0, answer
    return answer.base_offset


def rows(client: Client, start: int = 0) -> list[tuple[int, str, str | None]]:
    """Offset, key and value of every record, fetched as a consumer does."""
    found: list[Record] = []
    end = client.fetch("t", start).high_watermark
    while start < end:
        records = records_of(client.fetch("t", start))
        if not records:
            break
        found += records
        start = records[-1].offset + 1
    return [
        (one.offset, (one.key or b"").decode(), None if one.value is None else one.value.decode())
        for one in found
    ]


def passed(broker: Broker, count: int) -> None:
    """Minutes, with as many turns of the loop as a compaction in memory takes."""
    for _ in range(count):
        pass_minutes(broker, 1)
        for _turn in range(150):
            broker.run(lambda _node: None)


def test_a_compacted_topic_keeps_the_last_record_of_each_key() -> None:
    broker = broker_with()
    with broker, Client(broker) as client:
        client.create("t", configs=COMPACTED)
        client.create("plain")
        for minute in range(6):
            put(client, f"k{minute % 2}", str(minute), minute)
            passed(broker, 1)
        passed(broker, 2)
        wanted = [(3, "k1", "3"), (4, "k0", "4"), (5, "k1", "5")]
        assert rows(client) == wanted
        assert rows(client, 2) == wanted, "a read begins at the next batch there is"
        assert client.list_offset("t", NOW_MS).offset == 3
        assert client.list_offset("t", -2).offset == 0
        assert client.list_offset("t", -1).offset == 6
        assert client.list_offset("t", -3).offset == 5
        checkpoint = broker._files.read("memory/cleaner-offset-checkpoint")
        assert checkpoint == b"0\n1\nt 0 5\n"
        assert put(client, "k0", "6", 8) == 6
    with broker, Client(broker) as client:
        assert rows(client) == [*wanted, (6, "k0", "6")]


@pytest.mark.parametrize("is_crash", [False, True])
def test_idempotent_producers_stay_protected(is_crash: bool) -> None:
    broker = broker_with(settings={"write.caching": False})
    sequence = {"producer_id": 7, "producer_epoch": 0}
    with broker, Client(broker) as client:
        client.create("t", configs=COMPACTED)
        for minute in range(4):
            assert put(client, "k", str(minute), minute, base_sequence=minute, **sequence) == minute
        for minute in range(4, 7):
            put(client, "k", str(minute), minute)
            passed(broker, 1)
        passed(broker, 1)
        assert [offset for offset, _, _ in rows(client)] == [5, 6]
        if is_crash:
            broker.crash()
    with broker, Client(broker) as client:
        assert put(client, "k", "3", 3, base_sequence=3, **sequence) == 3, "a duplicate"
        assert put(client, "k", "7", 7, base_sequence=4, **sequence) == 7


def test_committed_offsets_are_compacted_and_loaded_again() -> None:
    broker = broker_with()
    with broker, Client(broker) as client:
        for topic in ("a", "b"):
            client.create(topic)
        find_coordinator(client)
        for minute in range(12):
            topics = [
                OffsetCommitRequestTopic(
                    name=topic,
                    partitions=[
                        OffsetCommitRequestPartition(partition_index=0, committed_offset=minute)
                    ],
                )
                for topic in (("a", "b") if minute < 4 else ("a",))
            ]
            request = OffsetCommitRequest(
                group_id="g", generation_id_or_member_epoch=-1, member_id="", topics=topics
            )
            assert client.send(request).topics[0].partitions[0].error_code == 0
            passed(broker, 1)
        passed(broker, 2)
        before = committed(client)
        assert before == {"a": 11, "b": 3}
        sizes = broker.run(
            lambda node: [
                one.log.size_bytes
                for one in node.broker.partitions()
                if one.id.topic == "__consumer_offsets" and one.opened_log is not None
            ]
        )
        assert 0 < sum(sizes) < 12 * 100
        assert broker.run(lambda node: node.broker.metrics.compactions.of("done").value) > 0
    with broker, Client(broker) as client:
        find_coordinator(client)
        assert committed(client) == before


def test_a_failed_compaction_leaves_the_partition_in_service(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = FaultyFiles()
    broker = broker_with(disk)
    with broker, Client(broker) as client:
        client.create("t", configs=COMPACTED)
        disk.fail(
            lambda operation: operation.kind is Kind.APPEND and operation.path.endswith(".cleaned")
        )
        for minute in range(5):
            put(client, "k", str(minute), minute)
            passed(broker, 1)
        assert len(rows(client)) == 5
        counted = broker.run(lambda node: node.broker.metrics.compactions.of("failed").value)
        assert counted == 1, "it is not tried again"
        assert caplog.text.count("compaction_failed") == 1
    disk.faults = None
    with broker, Client(broker) as client:
        rows(client)
        passed(broker, 2)
        assert len(rows(client)) == 2


def test_a_compaction_for_which_there_is_no_space_waits_for_it() -> None:
    disk = FaultyFiles()
    broker = broker_with(disk)
    with broker, Client(broker) as client:
        client.create("t", configs=COMPACTED)
        disk.fail(lambda operation: operation.path.endswith(".cleaned"), error=errno.ENOSPC)
        for minute in range(5):
            put(client, "k", str(minute), minute)
            passed(broker, 1)
        assert len(rows(client)) == 5
        disk.faults = None
        passed(broker, 2)
        assert len(rows(client)) == 2


def test_a_compaction_for_which_there_is_no_space_keeps_no_other_log_waiting() -> None:
    disk = FaultyFiles()
    broker = broker_with(disk)
    with broker, Client(broker) as client:
        for topic in ("full", "t"):
            client.create(topic, configs=COMPACTED)
        disk.fail(
            lambda operation: "/full-0/" in operation.path and operation.path.endswith(".cleaned"),
            error=errno.ENOSPC,
        )
        for minute in range(5):
            for topic in ("full", "full", "t"):  # so that it is the dirtier one
                put(client, "k", str(minute), minute, topic)
            passed(broker, 1)
        passed(broker, 2)
        assert len(rows(client)) == 2
        tried = broker.run(lambda node: node.broker.metrics.compactions.of("failed").value)
        assert 0 < tried < 10, "once in each round"


def test_the_cleaner_can_be_switched_off() -> None:
    broker = broker_with(settings={"log.cleaner.enable": False})
    with broker, Client(broker) as client:
        client.create("t", configs=COMPACTED)
        for minute in range(5):
            put(client, "k", str(minute), minute)
            passed(broker, 1)
        assert len(rows(client)) == 5


def test_compaction_and_deletion_together() -> None:
    broker = broker_with(settings={"log.initial.task.delay.ms": MINUTE_MS})
    with broker, Client(broker) as client:
        client.create(
            "t", configs={"cleanup.policy": "compact,delete", "retention.ms": 5 * MINUTE_MS}
        )
        for minute in range(9):
            put(client, f"k{minute % 4}", str(minute), minute)
            passed(broker, 1)
        assert [offset for offset, _, _ in rows(client)] == [4, 5, 6, 7, 8]
        passed(broker, 8)
        assert client.list_offset("t", -2).offset == 9


def test_a_topic_that_comes_again_is_compacted_from_its_start() -> None:
    broker = broker_with()
    with broker, Client(broker) as client:
        for _ in range(2):
            client.create("t", configs=COMPACTED)
            for minute in range(5):
                put(client, "k", str(minute), minute)
                passed(broker, 1)
            passed(broker, 1)
            assert [offset for offset, _, _ in rows(client)] == [3, 4]
            client.delete("t")
