"""Where asking Apache Kafka 4.3.1 the same as us showed a difference; Kafka's answer is right."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.metadata.topics import MAX_PARTITIONS_PER_REQUEST
from godel.protocol.messages.fetch import FetchPartition, FetchResponse
from godel.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from godel.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from godel.server.node import Node
from godel.testing import Broker
from godel.types import ZERO_ID
from tests.wire import Client, batch, fetch_request, fetched, values_of

ONE = len(batch("0"))
LONG_MS = 60_000
"""Time stands still: whoever waits so long does not answer."""


def waiters(node: Node) -> int:
    return len({w for partition in node.broker.partitions() for w in partition.waiters})


def wait_until_parked(broker: Broker) -> None:
    """Let the broker's loop run until a request is waiting; asks no clock."""
    for _ in range(10_000):
        if broker.run(waiters):
            return
    raise AssertionError("nobody waits")


# -- Fetch -----------------------------------------------------------------------------------------


def test_what_a_limit_leaves_no_room_for_counts_for_min_bytes(client: Client) -> None:
    """Kafka fills the limit with half a batch. Whole batches do not: that is no cause to wait."""
    client.create("t")
    for text in "abc":
        client.produce("t", batch(text))
    limit = 2 * ONE + ONE // 2
    request = fetch_request(
        {("t", 0): 0}, max_wait_ms=LONG_MS, min_bytes=limit, partition_max_bytes=limit
    )
    assert values_of(fetched(client.send(request, 12))) == ["a", "b"]


def test_a_partition_that_found_no_room_counts_for_min_bytes(client: Client) -> None:
    client.create("t", partitions=2)
    client.produce("t", batch("a"))
    client.produce("t", batch("b"), partition=1)
    request = fetch_request({("t", 0): 0, ("t", 1): 0}, max_wait_ms=LONG_MS, min_bytes=2 * ONE)
    request.max_bytes = 2 * ONE - 1
    (topic,) = client.send(request, 12).responses
    assert [values_of(data) for data in topic.partitions] == [["a"], []]


def test_what_is_all_read_is_waited_for_to_grow(broker: Broker, client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a"))
    client.post(fetch_request({("t", 0): 0}, max_wait_ms=500, min_bytes=2 * ONE), 12)
    wait_until_parked(broker)
    with Client(broker) as other:
        other.produce("t", batch("b"))
    assert values_of(fetched(client.take(FetchResponse, 12))) == ["a", "b"]


@pytest.mark.parametrize("version", [12, 18])
def test_an_unknown_partition_does_not_end_the_wait_of_the_others(
    broker: Broker, client: Client, version: int
) -> None:
    """A consumer of a topic that was deleted would otherwise fetch without a pause."""
    topic_id = client.create("t")
    name = "t" if version < 13 else topic_id
    missing = "nowhere" if version < 13 else bytes(range(16))
    wanted = {(name, 0): 0, (name, 7): 0, (missing, 0): 0}
    client.post(fetch_request(wanted, max_wait_ms=500), version)
    wait_until_parked(broker)
    broker.advance(500)
    codes = [
        data.error_code
        for topic in client.take(FetchResponse, version).responses
        for data in topic.partitions
    ]
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if version < 13 else ErrorCode.UNKNOWN_TOPIC_ID
    assert codes == [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, unknown]


def test_only_unknown_partitions_are_answered_at_once(client: Client) -> None:
    request = fetch_request({("nowhere", 0): 0}, max_wait_ms=LONG_MS)
    assert fetched(client.send(request, 12)).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_from_version_13_on_the_zero_id_is_an_unknown_id(client: Client) -> None:
    assert client.fetch(ZERO_ID, version=13).error_code == ErrorCode.UNKNOWN_TOPIC_ID
    assert client.fetch("", version=12).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def asked(offset: int, last_fetched_epoch: int) -> FetchPartition:
    return FetchPartition(
        partition=0,
        fetch_offset=offset,
        partition_max_bytes=1 << 20,
        last_fetched_epoch=last_fetched_epoch,
    )


def test_behind_the_end_of_the_epoch_fetched_last_the_logs_diverge(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a"))
    data = fetched(client.send(fetch_request({("t", 0): asked(2, 0)}), 12))
    assert data.error_code == 0
    assert (data.diverging_epoch.epoch, data.diverging_epoch.end_offset) == (0, 1)
    data = fetched(client.send(fetch_request({("t", 0): asked(1, 0)}), 12))
    assert (data.error_code, data.diverging_epoch.epoch) == (0, -1)


def test_any_negative_epoch_fetched_last_is_none(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a"))
    data = fetched(client.send(fetch_request({("t", 0): asked(0, -2)}), 12))
    assert values_of(data) == ["a"]


# -- others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(4, 12))
def test_the_earliest_offset_of_an_empty_partition_has_the_leaders_epoch(
    client: Client, version: int
) -> None:
    client.create("t")
    found = client.list_offset("t", -2, version=version)
    assert (found.offset, found.leader_epoch) == (0, 0)


@pytest.mark.parametrize("version", range(6))
def test_a_refused_producer_gets_neither_id_nor_epoch(client: Client, version: int) -> None:
    request = InitProducerIdRequest(transactional_id="", transaction_timeout_ms=1000)
    assert client.send(request, version) == InitProducerIdResponse(
        error_code=ErrorCode.INVALID_REQUEST, producer_id=-1, producer_epoch=-1
    )


# -- Metadata --------------------------------------------------------------------------------------


def test_a_topic_that_is_named_twice_is_answered_once(client: Client) -> None:
    client.create("t")
    request = MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in "tut"])
    assert [topic.name for topic in client.send(request, 9).topics] == ["t", "u"]


def test_one_request_does_not_create_topics_without_number(broker: Broker, client: Client) -> None:
    names = [f"t{number}" for number in range(MAX_PARTITIONS_PER_REQUEST + 1)]
    request = MetadataRequest(topics=[MetadataRequestTopic(name=name) for name in names])
    for _ in range(2):
        codes = {topic.error_code for topic in client.send(request, 9).topics}
        assert codes == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
    assert not broker.run(lambda node: node.broker.metadata.image.topics)
