"""Metadata, as a client sees it."""

from __future__ import annotations

import asyncio

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.metadata.memory_store import MemoryStore
from godel.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)
from godel.testing import Broker
from tests.wire import Client, batch

UNKNOWN_ID = bytes(range(16))
NOT_ASKED = -2147483648


def ask(client: Client, version: int, *names: str, **options: bool) -> MetadataResponse:
    topics = [MetadataRequestTopic(name=name) for name in names]
    response: MetadataResponse = client.send(MetadataRequest(topics=topics, **options), version)
    return response


def names(response: MetadataResponse) -> list[str | None]:
    return [topic.name for topic in response.topics]


@pytest.mark.parametrize("version", range(14))
def test_brokers_and_topics_in_every_version(broker: Broker, client: Client, version: int) -> None:
    topic_id = client.create("t", partitions=3)
    response = ask(client, version, "t")
    (node,) = response.brokers
    assert (node.node_id, node.host, node.port, node.rack) == (
        1,
        "127.0.0.1",
        broker.node.endpoint.port,
        None,
    )
    assert response.controller_id == (1 if version >= 1 else -1)
    assert response.cluster_id == (
        broker.run(lambda n: n.broker.metadata.image.cluster_id) if version >= 2 else None
    )
    (topic,) = response.topics
    assert (topic.error_code, topic.name, topic.is_internal) == (0, "t", False)
    assert topic.topic_id == (topic_id if version >= 10 else bytes(16))
    assert [p.partition_index for p in topic.partitions] == [0, 1, 2]
    for partition in topic.partitions:
        assert (partition.error_code, partition.leader_id) == (0, 1)
        assert (partition.replica_nodes, partition.isr_nodes) == ([1], [1])
        assert partition.offline_replicas == []
        assert partition.leader_epoch == (0 if version >= 7 else -1)


def test_null_means_all_topics_and_in_v0_an_empty_list_does(client: Client) -> None:
    client.create("a")
    client.create("b")
    assert names(ask(client, 0)) == ["a", "b"]
    for version in (1, 8, 13):
        none = ask(client, version)
        assert (names(none), len(none.brokers), none.controller_id) == ([], 1, 1)
        assert names(client.send(MetadataRequest(topics=None), version)) == ["a", "b"]


@pytest.mark.parametrize("version", [0, 1, 4, 9, 13])
@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250])
def test_an_invalid_name_is_never_created(client: Client, name: str, version: int) -> None:
    (topic,) = ask(client, version, name).topics
    assert (topic.error_code, topic.name) == (ErrorCode.INVALID_TOPIC_EXCEPTION, name)
    assert topic.partitions == []
    assert names(client.send(MetadataRequest(topics=None))) == []


@pytest.mark.parametrize("version", range(14))
def test_a_missing_topic_is_unknown_at_first_and_there_when_asked_for_again(version: int) -> None:
    with Broker({"num.partitions": 3}, clock=ManualClock()) as broker, Client(broker) as client:
        (topic,) = ask(client, version, "t").topics
        assert (topic.error_code, topic.partitions) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])
        (topic,) = ask(client, version, "t").topics
        assert (topic.error_code, len(topic.partitions)) == (0, 3)
        assert all(partition.leader_id == 1 for partition in topic.partitions)
        assert client.produce("t", batch("a"), partition=2).error_code == 0


def test_whoever_asks_while_the_topic_is_being_created_gets_it(
    broker: Broker, client: Client
) -> None:
    with Client(broker) as other:
        ask(client, 13, "t")
        assert ask(other, 13, "t").topics[0].error_code == 0


def test_a_topic_lingers_before_it_is_made() -> None:
    settings = {"auto.create.topics.linger.ms": 50}
    with Broker(settings, clock=ManualClock()) as broker, Client(broker) as client:
        for _ in range(2):  # who asks again ends that, but is not told otherwise
            (topic,) = ask(client, 13, "t").topics
            assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert ask(client, 13, "t").topics[0].error_code == 0
        ask(client, 13, "other")
        broker.advance(50)
        assert ask(client, 13, "other").topics[0].error_code == 0


def test_a_stop_in_the_middle_of_a_creation_ends_it_and_the_waiting() -> None:
    async def never(moment: str) -> None:
        if moment == "txn":
            await asyncio.Event().wait()

    with Broker(clock=ManualClock()) as broker, Client(broker) as client:
        store = broker.run(lambda node: node.broker.metadata.store)
        assert isinstance(store, MemoryStore)
        store.interfere = never
        ask(client, 13, "t")
        client.post(MetadataRequest(topics=[MetadataRequestTopic(name="t")]))
        while not broker.run(lambda node: node.broker.metrics.requests_waiting.value):
            pass
        store.interfere = None
        broker.stop()
        assert client.take(MetadataResponse).topics[0].error_code == (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        )
        broker.start()
        with Client(broker) as later:
            ask(later, 13, "t")
            assert ask(later, 13, "t").topics[0].error_code == 0


def test_the_longest_name_is_created(client: Client) -> None:
    ask(client, 13, "x" * 249)
    (topic,) = ask(client, 13, "x" * 249).topics
    assert topic.error_code == 0
    assert client.produce("x" * 249, batch("a")).error_code == 0


def test_several_topics_are_created_at_once_and_one_that_collides_stays_unknown(
    client: Client,
) -> None:
    client.create("a_b")
    ask(client, 13, "x", "a.b", "y", "x")
    response = ask(client, 13, "x", "a.b", "y", "x")
    codes = {topic.name: topic.error_code for topic in response.topics}
    assert codes == {"x": 0, "a.b": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "y": 0}


@pytest.mark.parametrize("version", [4, 13])
def test_a_client_may_ask_without_creating(client: Client, version: int) -> None:
    (topic,) = ask(client, version, "t", allow_auto_topic_creation=False).topics
    assert (topic.error_code, topic.partitions) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [])


@pytest.mark.parametrize("version", [0, 13])
def test_nothing_is_created_where_the_broker_does_not_allow_it(version: int) -> None:
    settings = {"auto.create.topics.enable": False}
    with Broker(settings, clock=ManualClock()) as broker, Client(broker) as client:
        for name in ("t", "__consumer_offsets"):
            for _ in range(2):
                (topic,) = ask(client, version, name).topics
                assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_topics_by_id(client: Client) -> None:
    topic_id = client.create("t")
    for version in (12, 13):
        wanted = [
            MetadataRequestTopic(topic_id=topic_id),
            MetadataRequestTopic(topic_id=UNKNOWN_ID),
        ]
        known, unknown = client.send(MetadataRequest(topics=wanted), version).topics
        assert (known.error_code, known.name, known.topic_id) == (0, "t", topic_id)
        assert (unknown.error_code, unknown.name, unknown.topic_id) == (
            ErrorCode.UNKNOWN_TOPIC_ID,
            None,
            UNKNOWN_ID,
        )


@pytest.mark.parametrize("version", [10, 11])
def test_ids_and_null_names_are_not_for_v10_and_v11(client: Client, version: int) -> None:
    topic_id = client.create("t")
    for topic in (MetadataRequestTopic(topic_id=topic_id), MetadataRequestTopic(name=None)):
        (answer,) = client.send(MetadataRequest(topics=[topic]), version).topics
        assert (answer.error_code, answer.name) == (ErrorCode.INVALID_REQUEST, "")


@pytest.mark.parametrize("version", [12, 13])
def test_a_topic_with_neither_name_nor_id_is_an_invalid_request(
    client: Client, version: int
) -> None:
    nameless = MetadataRequest(topics=[MetadataRequestTopic(name=None)])
    (answer,) = client.send(nameless, version).topics
    assert answer.error_code == ErrorCode.INVALID_REQUEST


def test_internal_topics_are_marked_and_listed(client: Client) -> None:
    ask(client, 13, "__consumer_offsets")
    (offsets,) = ask(client, 13, "__consumer_offsets").topics
    assert (offsets.error_code, offsets.is_internal) == (0, True)
    assert len(offsets.partitions) == 50
    (listed,) = client.send(MetadataRequest(topics=None)).topics
    assert (listed.name, listed.is_internal) == ("__consumer_offsets", True)


@pytest.mark.parametrize("name", ["__transaction_state", "__share_group_state"])
def test_internal_topics_that_nothing_uses_yet_are_not_there(client: Client, name: str) -> None:
    for _ in range(2):
        (topic,) = ask(client, 13, name).topics
        assert (topic.error_code, topic.is_internal) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, True)


@pytest.mark.parametrize("version", [8, 10, 13])
def test_operations_are_told_when_asked_for(client: Client, version: int) -> None:
    client.create("t")

    def operations(asked: bool) -> tuple[int, int]:
        response = ask(
            client,
            version,
            "t",
            include_topic_authorized_operations=asked,
            include_cluster_authorized_operations=asked and version <= 10,
        )
        return (
            response.topics[0].topic_authorized_operations,
            response.cluster_authorized_operations,
        )

    assert operations(False) == (NOT_ASKED, NOT_ASKED)
    assert operations(True) == (3576, 8096 if version <= 10 else NOT_ASKED)


def test_the_rack_is_told() -> None:
    with Broker({"broker.rack": "r1"}) as broker, Client(broker) as client:
        assert ask(client, 1).brokers[0].rack == "r1"


def test_a_deleted_topic_is_gone_at_once(client: Client) -> None:
    topic_id = client.create("t")
    client.delete("t")
    assert names(client.send(MetadataRequest(topics=None))) == []
    by_id = MetadataRequest(topics=[MetadataRequestTopic(topic_id=topic_id)])
    topic: MetadataResponseTopic = client.send(by_id).topics[0]
    assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_ID
