"""What is deleted goes in its time, and takes nothing from those who are reading it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from godel.protocol.messages.fetch import FetchResponse
from godel.records.builder import NewRecord
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.broker.test_maintenance import CHECK, MINUTE_MS, SHORT, pass_minutes, produce_at
from tests.wire import NOW_MS, Client, batch, fetch_request, fetched, values_of

VALUE_BYTES = 500_000
COUNT = 16


def folders(broker: Broker) -> list[str]:
    return sorted(broker._files.list_folders("memory"))


def segments(disk: FaultyFiles) -> list[str]:
    return sorted(name for name in disk.list_files("memory/t-0") if name.endswith(".log"))


def delete_before(client: Client, topic: str, offset: int) -> None:
    request = DeleteRecordsRequest(
        [DeleteRecordsTopic(topic, [DeleteRecordsPartition(0, offset)])], 10_000
    )
    assert client.send(request).topics[0].partitions[0].error_code == 0


# -- open readers ----------------------------------------------------------------------------------


def test_a_parked_fetch_learns_that_its_topic_is_gone() -> None:
    with Broker(clock=ManualClock()) as broker, Client(broker) as reader, Client(broker) as admin:
        admin.create("t")
        reader.post(fetch_request({("t", 0): 0}, max_wait_ms=1_000_000), 12)
        admin.delete("t")
        answer = fetched(reader.take(FetchResponse, 12))
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("way", ["topic", "records", "retention"])
def test_a_slow_reader_gets_the_whole_of_a_large_answer(way: str, tmp_path: Path) -> None:
    """It has begun to read before the deletion, and ends after the files are gone."""
    quick = {"log.retention.check.interval.ms": 100, "log.initial.task.delay.ms": 100}
    broker = Broker(CHECK | quick, data=tmp_path, clock=ManualClock(NOW_MS + MINUTE_MS))
    configs = {"segment.bytes": 1 << 20, "file.delete.delay.ms": 1, "retention.ms": -1}
    sent = [str(number) * VALUE_BYTES for number in range(COUNT)]
    with broker, Client(broker) as reader, Client(broker) as admin:
        admin.create("t", configs=configs)
        for value in sent:
            assert admin.produce("t", batch(value)).error_code == 0
        everything = fetch_request(
            {("t", 0): 0}, partition_max_bytes=2 * COUNT * VALUE_BYTES, max_bytes=1 << 30
        )
        for _ in range(8):  # more than the socket's buffers hold; one segment an answer
            reader.post(everything, 12)
        answers = [fetched(reader.take(FetchResponse, 12))]
        if way == "topic":
            admin.delete("t")
        elif way == "records":
            delete_before(admin, "t", COUNT)
        else:
            admin.alter("t", {"retention.ms": 1})
        first_segment = f"{0:020d}.log"
        for _round in range(10_000):  # threads have a part in it, which take their time
            broker.advance(100)
            names = {path.name for path in tmp_path.glob("t-0*/*.log")}
            if first_segment not in names:
                break
        assert first_segment not in names
        answers += [fetched(reader.take(FetchResponse, 12)) for _ in range(7)]
        got = values_of(answers[0])
        assert got
        assert got == sent[: len(got)]
        for answer in answers:
            assert answer.error_code or values_of(answer) == got


# -- delays ----------------------------------------------------------------------------------------


def test_a_deleted_topic_keeps_its_files_for_the_delay_after_a_restart_too() -> None:
    settings = {"log.segment.delete.delay.ms": 30_000}
    broker = Broker(settings, files=FaultyFiles(), clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t", configs={"file.delete.delay.ms": 60_000})
        client.produce("t", batch("a"))
        client.delete("t")
        broker.advance(59_999)
        (aside,) = folders(broker)
    broker.clock = ManualClock(NOW_MS + 59_999)  # the timers of a process end with it
    with broker:
        assert folders(broker) == [aside]
        broker.advance(29_999)
        assert folders(broker) == [aside]
        broker.advance(1)
        assert folders(broker) == []


def test_a_deleted_segment_is_not_left_behind_by_a_stop_within_the_delay() -> None:
    broker = Broker(CHECK, files=FaultyFiles(), clock=ManualClock())

    def deleted() -> list[str]:
        return [n for n in broker._files.list_files("memory/t-0") if n.endswith(".deleted")]

    with broker, Client(broker) as client:
        client.create("t", configs=SHORT | {"file.delete.delay.ms": 1_000_000})
        for minute in range(2):
            produce_at(client, "t", minute)
            pass_minutes(broker, 1)
        pass_minutes(broker, 9)
        assert deleted()
    left = set(deleted())
    assert left
    broker.clock = ManualClock(NOW_MS + 11 * MINUTE_MS)
    with broker:
        pass_minutes(broker, 1)
        assert not left & set(deleted())


# -- what nobody uses ------------------------------------------------------------------------------


def test_retention_opens_only_logs_in_which_something_is_due() -> None:
    broker = Broker(CHECK, clock=ManualClock(), files=FaultyFiles())
    by_size = {"segment.bytes": 1 << 20, "retention.ms": -1, "retention.bytes": 1_300_000}
    with broker, Client(broker) as client:
        client.create("idle", partitions=3, configs={"retention.ms": -1})
        client.create("young", configs=SHORT | {"retention.ms": 60 * MINUTE_MS})
        client.create("old", configs=SHORT)
        client.create("fits", configs=by_size)
        client.create("large", configs=by_size)
        client.create("records")
        for topic in ("idle", "young", "old", "records"):
            produce_at(client, topic, 0)
        for topic, count in (("fits", 2), ("large", 4)):
            for _ in range(count):
                client.produce(topic, batch("x" * 600_000))
        delete_before(client, "records", 1)
    with broker, Client(broker) as client:
        pass_minutes(broker, 12)
        opened = {p.id.topic for p in broker.node.broker.partitions() if p.opened_log is not None}
        assert opened == {"old", "large", "records"}
        assert [client.list_offset(topic, -2).offset for topic in sorted(opened)] == [1, 1, 1]


@pytest.mark.parametrize("policy", ["delete", "compact,delete", "compact"])
def test_the_policy_says_whether_time_and_size_count(policy: str) -> None:
    broker = Broker(CHECK, clock=ManualClock(), files=FaultyFiles())
    keyed = b"k"
    with broker, Client(broker) as client:
        for topic, configs in (
            ("time", SHORT),
            ("size", {"segment.bytes": 1 << 20, "retention.bytes": 1, "retention.ms": -1}),
        ):
            client.create(topic, configs=configs | {"cleanup.policy": policy})
            for number in range(3):
                value = NewRecord(keyed + b"%d" % number, b"x" * 600_000)
                client.produce(topic, batch(value, timestamp_ms=NOW_MS + number * MINUTE_MS))
        pass_minutes(broker, 13)
        starts = [client.list_offset(topic, -2).offset for topic in ("time", "size")]
        assert starts == ([0, 0] if policy == "compact" else [3, 2])


# -- strays ----------------------------------------------------------------------------------------


def test_each_start_says_where_the_strays_are_and_how_they_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = FaultyFiles()
    broker = Broker(files=disk)
    with broker:
        pass
    for number in range(2):
        disk.make_folder(f"memory/orphan-{number}")
    with broker:
        told = [r.message for r in caplog.records if "is of no topic that exists" in r.message]
        assert len(told) == 2
    for _ in range(2):
        caplog.clear()
        with broker:
            (line,) = (r.message for r in caplog.records if "set aside" in r.message)
            assert "2 folders in memory" in line
            assert "rm -r memory/*-stray" in line
    assert len([name for name in folders(broker) if name.endswith("-stray")]) == 2


# -- a full disk -----------------------------------------------------------------------------------


def test_retention_makes_room_on_a_disk_too_full_for_the_log_starts() -> None:
    """One segment at a time, so that no power cut leaves a hole; then the others."""
    disk = FaultyFiles()
    broker = Broker(CHECK, files=disk, clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t", configs=SHORT)
        for minute in range(5):
            produce_at(client, "t", minute)
        before = segments(disk)
        assert len(before) == 5
        pass_minutes(broker, 10)
        disk.fail(lambda operation: operation.kind is Kind.APPEND, error=errno.ENOSPC)
        for gone in (1, 2, 3):
            pass_minutes(broker, 1)
            assert segments(disk.after_crash()) == segments(disk) == before[gone:]
        disk.faults = None
        pass_minutes(broker, 2)
        assert segments(disk) == [f"{5:020d}.log"]
        assert client.produce("t", batch("more")).error_code == 0
        assert values_of(client.fetch("t", client.list_offset("t", -2).offset)) == ["more"]
