"""A broker on a slow disk: visible means durable, and answers keep their order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.fetch import FetchResponse
from godel.protocol.messages.produce import ProduceResponse
from godel.testing import Broker
from tests.disks import DURABLE, SlowDisk
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
