"""DescribeTopicPartitions over the wire: pages, cursors, and what does not exist."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    TopicRequest,
)
from godel.testing import Broker
from godel.types import ZERO_ID
from tests.wire import Client


def describe(
    client: Client, *names: str, limit: int = 2000, cursor: Cursor | None = None
) -> DescribeTopicPartitionsResponse:
    topics = [TopicRequest(name) for name in names]
    response = client.send(DescribeTopicPartitionsRequest(topics, limit, cursor))
    assert isinstance(response, DescribeTopicPartitionsResponse)
    return response


def indexes(response: DescribeTopicPartitionsResponse) -> list[tuple[str | None, list[int]]]:
    return [(t.name, [p.partition_index for p in t.partitions]) for t in response.topics]


def test_a_topic_with_everything(client: Client) -> None:
    topic_id = client.create("t", partitions=2)
    response = describe(client, "t")
    assert response.next_cursor is None
    (topic,) = response.topics
    assert (topic.error_code, topic.topic_id, topic.is_internal) == (0, topic_id, False)
    (of_metadata,) = client.describe("t").topics
    for partition, expected in zip(topic.partitions, of_metadata.partitions, strict=True):
        assert partition.leader_id == expected.leader_id
        assert partition.leader_epoch == expected.leader_epoch
        assert partition.replica_nodes == partition.isr_nodes == expected.replica_nodes
        assert (partition.eligible_leader_replicas, partition.last_known_elr) == ([], [])


def test_topics_come_by_name_and_once(client: Client) -> None:
    for name in "cab":
        client.create(name)
    assert indexes(describe(client, "c", "a", "c")) == [("a", [0]), ("c", [0])]
    assert indexes(describe(client)) == [("a", [0]), ("b", [0]), ("c", [0])]


def test_what_does_not_exist_is_not_created(client: Client) -> None:
    response = describe(client, "nope", "a b", "", "__consumer_offsets")
    unknown, invalid = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_TOPIC_EXCEPTION
    assert [(t.name, t.error_code, t.is_internal) for t in response.topics] == [
        ("", invalid, False),
        ("__consumer_offsets", unknown, True),
        ("a b", invalid, False),
        ("nope", unknown, False),
    ]
    assert all(topic.topic_id == ZERO_ID for topic in response.topics)
    assert describe(client).topics == []


@pytest.mark.parametrize("limit", [-1, 0, 1, 2, 3, 4, 7, 8, 1 << 30])
def test_pages_are_whole_in_the_end(client: Client, limit: int) -> None:
    for name, count in (("a", 3), ("b", 1), ("c", 4)):
        client.create(name, partitions=count)
    seen = []
    cursor = None
    while True:
        response = describe(client, limit=limit, cursor=cursor)
        page = [(name, index) for name, found in indexes(response) for index in found]
        assert len(page) <= max(limit, 1)
        seen += page
        cursor = response.next_cursor
        if cursor is None:
            break
        assert len(page) == max(limit, 1)
    assert seen == [
        (name, i) for name, count in (("a", 3), ("b", 1), ("c", 4)) for i in range(count)
    ]


def test_the_broker_s_own_limit() -> None:
    with Broker({"max.request.partition.size.limit": 2}) as broker, Client(broker) as client:
        client.create("t", partitions=3)
        response = describe(client)
        assert indexes(response) == [("t", [0, 1])]
        assert response.next_cursor == Cursor("t", 2)


def test_a_page_that_ends_with_its_topic_says_which_is_next(client: Client) -> None:
    client.create("a", partitions=2)
    client.create("b")
    assert describe(client, "a", "b", limit=2).next_cursor == Cursor("b", 0)
    assert describe(client, "a", "zzz", limit=2).next_cursor == Cursor("zzz", 0)
    assert describe(client, "a", limit=2).next_cursor is None


def test_cursors_into_what_has_changed(client: Client) -> None:
    client.create("a", partitions=2)
    client.create("c")
    assert indexes(describe(client, cursor=Cursor("b", 5))) == [("c", [0])]
    assert indexes(describe(client, "a", "c", cursor=Cursor("a", 9))) == [("a", []), ("c", [0])]
    assert indexes(describe(client, cursor=Cursor("d", 0))) == []


@pytest.mark.parametrize("cursor", [Cursor("a", -1), Cursor("b", 0)])
def test_cursors_without_sense(client: Client, cursor: Cursor) -> None:
    client.create("a")
    response = describe(client, "c", "a", cursor=cursor)
    assert [(topic.name, topic.error_code) for topic in response.topics] == [
        ("c", ErrorCode.INVALID_REQUEST),
        ("a", ErrorCode.INVALID_REQUEST),
    ]
