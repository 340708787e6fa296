"""Fetch, as a client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.fetch import (
    FetchRequest,
    FetchResponse,
    ReplicaState,
)
from godel.records.partition_log import EpochStart
from godel.server.node import Node
from godel.testing import Broker
from tests.wire import (
    Client,
    batch,
    bytes_of,
    fetch_request,
    fetched,
    produce_request,
    raise_leader_epoch,
    records_of,
    values_of,
)

UNKNOWN_ID = bytes(range(16))
ONE = len(batch("0"))
"""Bytes of a batch with one record of one letter."""


@pytest.fixture
def other(broker: Broker) -> Iterator[Client]:
    """A second connection, for what happens while the first one waits."""
    with Client(broker) as client:
        yield client


def wait_until_parked(broker: Broker, count: int = 1) -> None:
    """Let the broker's loop run until so many requests are waiting; asks no clock."""
    for _ in range(10_000):
        if broker.run(waiters) == count:
            return
    raise AssertionError("nobody waits")


def waiters(node: Node) -> int:
    return len({w for partition in node.broker.partitions() for w in partition.waiters})


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(4, 19))
def test_records_come_back_in_every_version(client: Client, version: int) -> None:
    topic_id = client.create("t")
    client.produce("t", batch("a", "b"))
    client.produce("t", batch("c"))
    data = client.fetch("t" if version < 13 else topic_id, version=version)
    assert data.error_code == 0
    assert [(r.offset, r.value) for r in records_of(data)] == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert (data.high_watermark, data.last_stable_offset) == (3, 3)
    assert data.log_start_offset == (0 if version >= 5 else -1)
    assert data.preferred_read_replica == -1
    assert data.aborted_transactions is None


def test_read_committed_gets_an_empty_list_of_aborted_transactions(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a"))
    data = client.fetch("t", isolation_level=1)
    assert data.aborted_transactions == []
    assert values_of(data) == ["a"]


def test_the_end_of_the_log_is_empty_and_beyond_it_out_of_range(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a"))
    end = client.fetch("t", 1)
    assert (end.error_code, end.records) == (0, b""), "empty, not null"
    for offset in (2, 2**62, -1, -2):
        beyond = client.fetch("t", offset)
        assert beyond.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert (beyond.high_watermark, beyond.last_stable_offset) == (-1, -1)
        assert beyond.log_start_offset == -1
        assert beyond.records == b"", "empty, not null"


def test_below_the_log_start_is_out_of_range(broker: Broker, client: Client) -> None:
    client.create("t")
    for value in "abc":
        client.produce("t", batch(value))
    broker.run(lambda node: node.broker.partition("t", 0).truncate_prefix(2))
    assert client.fetch("t", 1).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    data = client.fetch("t", 2)
    assert (values_of(data), data.log_start_offset) == (["c"], 2)


def test_the_batch_that_contains_the_offset_comes_whole(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a", "b", "c"))
    assert values_of(client.fetch("t", 2)) == ["a", "b", "c"]


def test_the_first_batch_comes_even_if_it_is_larger_than_every_limit(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("x" * 1000))
    client.produce("t", batch("y"))
    assert len(records_of(client.fetch("t", partition_max_bytes=1))) == 1
    assert len(records_of(client.fetch("t", max_bytes=1))) == 1
    assert len(records_of(client.fetch("t", max_bytes=0, partition_max_bytes=0))) == 1


def test_partitions_are_served_in_order_until_the_limits_are_reached(client: Client) -> None:
    client.create("t", partitions=3)
    for partition in range(3):
        for value in "ab":
            client.produce("t", batch(value), partition=partition)
    wanted = {("t", partition): 0 for partition in (2, 0, 1)}

    def counts(**limits: int) -> list[tuple[int, int]]:
        (topic,) = client.send(fetch_request(wanted, **limits), 12).responses
        return [(data.partition_index, len(records_of(data))) for data in topic.partitions]

    assert counts(partition_max_bytes=ONE) == [(2, 1), (0, 1), (1, 1)]
    assert counts(max_bytes=3 * ONE) == [(2, 2), (0, 1), (1, 0)]
    assert counts(max_bytes=2 * ONE) == [(2, 2), (0, 0), (1, 0)]
    assert counts(max_bytes=1) == [(2, 1), (0, 0), (1, 0)]


def test_an_answer_is_never_larger_than_fetch_max_bytes() -> None:
    with Broker({"fetch.max.bytes": 1024}) as broker, Client(broker) as client:
        client.create("t")
        for _ in range(40):
            client.produce("t", batch("x"))
        assert len(records_of(client.fetch("t"))) == 1024 // ONE


@pytest.mark.parametrize("version", [12, 18])
def test_what_does_not_exist_is_said_per_partition(client: Client, version: int) -> None:
    topic_id = client.create("t")
    client.produce("t", batch("a"))
    name: str | bytes = "t" if version == 12 else topic_id
    missing: str | bytes = "missing" if version == 12 else UNKNOWN_ID
    request = fetch_request({(name, 0): 0, (name, 1): 0, (missing, 0): 0}, max_wait_ms=60_000)
    first, second = client.send(request, version).responses
    assert values_of(first.partitions[0]) == ["a"]
    assert first.partitions[1].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert second.partitions[0].error_code == (
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if version == 12 else ErrorCode.UNKNOWN_TOPIC_ID
    )
    assert (second.topic, second.topic_id) == (
        ("missing", bytes(16)) if version == 12 else ("", UNKNOWN_ID)
    )


def test_followers_are_refused(client: Client) -> None:
    client.create("t")
    old = client.send(FetchRequest(replica_id=2), 14)
    new = client.send(FetchRequest(replica_state=ReplicaState(replica_id=2)), 15)
    for response in (old, new):
        assert response.error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED


# -- leader epochs ---------------------------------------------------------------------------------


def test_a_client_with_another_leader_epoch_is_fenced() -> None:
    broker = Broker(clock=ManualClock())
    with broker, Client(broker) as client:
        client.create("t")
        raise_leader_epoch(broker, "t", 3)
        assert client.fetch("t", current_leader_epoch=3).error_code == 0
        old = client.fetch("t", current_leader_epoch=2)
        assert old.error_code == ErrorCode.FENCED_LEADER_EPOCH
        new = client.fetch("t", current_leader_epoch=4)
        assert new.error_code == ErrorCode.UNKNOWN_LEADER_EPOCH


def test_a_diverging_epoch_is_told_without_records(broker: Broker, client: Client) -> None:
    client.create("t")
    raise_leader_epoch(broker, "t", 1)
    client.produce("t", batch("a", "b"))
    raise_leader_epoch(broker, "t", 3)
    client.produce("t", batch("c"))
    assert broker.run(lambda node: list(node.broker.partition("t", 0).epochs.entries)) == [
        EpochStart(1, 0),
        EpochStart(3, 2),
    ]

    def diverging(offset: int, epoch: int) -> tuple[int, int] | None:
        data = client.fetch("t", offset, last_fetched_epoch=epoch)
        assert data.error_code == 0
        if data.diverging_epoch.epoch < 0:
            return None
        assert not data.records
        return data.diverging_epoch.epoch, data.diverging_epoch.end_offset

    assert diverging(3, 3) is None
    assert diverging(2, 1) is None
    assert diverging(3, 1) == (1, 2), "epoch 1 ended before the client's offset"
    assert diverging(1, 2) == (1, 2), "epoch 2 never was"
    assert diverging(1, 0) == (0, 0), "older than all that is known"
    above = client.fetch("t", 1, last_fetched_epoch=4)
    assert above.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


# -- waiting ---------------------------------------------------------------------------------------


def test_what_is_there_is_answered_at_once(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a"))
    waiting = {"max_wait_ms": 60_000}
    assert values_of(client.fetch("t", min_bytes=1, **waiting)) == ["a"]
    assert values_of(client.fetch("t", min_bytes=ONE, **waiting)) == ["a"]
    assert client.fetch("t", 1, min_bytes=0, **waiting).error_code == 0
    assert client.fetch("t", 1, max_wait_ms=0).error_code == 0
    assert client.fetch("t", 1, max_wait_ms=-1).error_code == 0
    assert client.fetch("t", 9, **waiting).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert client.fetch("t", 1, min_bytes=1 << 30, max_bytes=0, **waiting).error_code == 0
    assert client.send(FetchRequest(max_wait_ms=60_000, min_bytes=1)).responses == []


@pytest.mark.parametrize("isolation_level", [0, 1])
def test_an_append_wakes_a_waiting_fetch(
    broker: Broker, client: Client, other: Client, isolation_level: int
) -> None:
    client.create("t")
    request = fetch_request({("t", 0): 0}, max_wait_ms=60_000, isolation_level=isolation_level)
    client.post(request, 12)
    wait_until_parked(broker)
    assert client.is_silent()
    other.produce("t", batch("a"))
    assert values_of(fetched(client.take(FetchResponse, 12))) == ["a"]
    assert broker.run(waiters) == 0


def test_a_fetch_waits_until_min_bytes_are_there(
    broker: Broker, client: Client, other: Client
) -> None:
    client.create("t", partitions=2)
    other.produce("t", batch("0"))
    request = fetch_request({("t", 0): 0, ("t", 1): 0}, max_wait_ms=60_000, min_bytes=3 * ONE)
    client.post(request, 12)
    wait_until_parked(broker)
    other.produce("t", batch("1"), partition=1)
    wait_until_parked(broker)
    assert client.is_silent()
    other.produce("t", batch("2"), partition=0)
    response = client.take(FetchResponse, 12)
    assert [values_of(data) for data in response.responses[0].partitions] == [["0", "2"], ["1"]]


def test_a_fetch_is_answered_with_what_there_is_when_its_time_is_over(
    broker: Broker, client: Client, other: Client
) -> None:
    client.create("t")
    request = fetch_request({("t", 0): 0}, max_wait_ms=500, min_bytes=1000)
    client.post(request, 12)
    wait_until_parked(broker)
    other.produce("t", batch("a"))
    broker.advance(499)
    assert client.is_silent()
    broker.advance(1)
    assert values_of(fetched(client.take(FetchResponse, 12))) == ["a"]


def test_a_fetch_that_came_with_its_batch_does_not_wait_for_another(broker: Broker) -> None:
    """The fetch is parked by a task that begins only after the produce behind it was served."""
    with Client(broker) as client, Client(broker) as other:
        client.create("t")
        for n in range(30):
            client.post(fetch_request({("t", 0): n}, max_wait_ms=60_000), 12)
            other.post(produce_request({("t", 0): batch(str(n))}, acks=1), 9)
            assert values_of(fetched(client.take(FetchResponse, 12))) == [str(n)]
            other.take_frame()


def test_a_produce_behind_a_waiting_fetch_waits_on_the_same_connection(
    broker: Broker, client: Client, other: Client
) -> None:
    client.create("t")
    client.post(fetch_request({("t", 0): 0}, max_wait_ms=500), 12)
    client.post(produce_request({("t", 0): batch("a")}), 11)
    wait_until_parked(broker)
    assert other.fetch("t").high_watermark == 0
    broker.advance(500)
    assert values_of(fetched(client.take(FetchResponse, 12))) == []
    assert client.take_frame()
    assert other.fetch("t").high_watermark == 1


def test_a_client_that_goes_away_leaves_nothing_behind(broker: Broker, client: Client) -> None:
    client.create("t")
    client.post(fetch_request({("t", 0): 0}, max_wait_ms=60_000), 12)
    wait_until_parked(broker)
    client.close()
    wait_until_parked(broker, 0)


@pytest.mark.parametrize("version", [12, 18])
def test_the_deletion_of_a_topic_ends_a_waiting_fetch(
    broker: Broker, client: Client, other: Client, version: int
) -> None:
    topic_id = client.create("t")
    name: str | bytes = "t" if version == 12 else topic_id
    client.post(fetch_request({(name, 0): 0}, max_wait_ms=60_000, min_bytes=1000), version)
    wait_until_parked(broker)
    other.delete("t")
    data = fetched(client.take(FetchResponse, version))
    assert data.error_code == (
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if version == 12 else ErrorCode.UNKNOWN_TOPIC_ID
    )


def test_a_stopping_broker_answers_a_waiting_fetch(broker: Broker, client: Client) -> None:
    client.create("t")
    client.post(fetch_request({("t", 0): 0}, max_wait_ms=60_000), 12)
    wait_until_parked(broker)
    broker.stop()
    assert values_of(fetched(client.take(FetchResponse, 12))) == []
    assert client.is_closed()


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_verified", [False, True])
def test_damage_is_found_before_it_is_answered_where_that_is_wanted(
    tmp_path: Path, is_verified: bool
) -> None:
    settings = {"log.read.verify": str(is_verified).lower()}
    with Broker(settings, data=tmp_path) as broker, Client(broker) as client:
        client.create("t")
        for value in "abc":
            client.produce("t", batch(value))
        (log,) = (tmp_path / "t-0").glob("*.log")
        with log.open("r+b") as file:
            file.seek(2 * ONE - 2)  # the value
            file.write(b"!")
        if not is_verified:
            assert len(values_of(client.fetch("t"))) == 3, "it is left to the client"
            return
        assert values_of(client.fetch("t")) == ["a"]
        for _ in range(2):
            damaged = client.fetch("t", 1)
            assert (damaged.error_code, bytes_of(damaged)) == (ErrorCode.CORRUPT_MESSAGE, b"")
        assert values_of(client.fetch("t", 2)) == ["c"]
        assert broker.node.broker.metrics.corrupt_reads.value == 2


def test_errors_are_counted(broker: Broker, client: Client) -> None:
    errors = broker.node.broker.metrics.request_errors
    client.create("t")
    client.produce("t", batch("a"))
    for _ in range(2):
        assert client.fetch("t", 5).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert client.fetch("t").error_code == 0
    assert errors.of("Fetch", "OFFSET_OUT_OF_RANGE").value == 2
    refused = client.send(fetch_request({("t", 0): 0}, session_id=7, session_epoch=3), 12)
    assert refused.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert errors.of("Fetch", "FETCH_SESSION_ID_NOT_FOUND").value == 1
    assert sum(value for (api, _), value in errors.rows() if api == "Fetch") == 3
