"""Topics as the client asks for them."""

from __future__ import annotations

import pytest

from godel.client.cluster import Cluster
from godel.client.outcomes import NotFound
from godel.client.topics import (
    all_topics,
    by_topic,
    create_partitions,
    create_topics,
    delete_records,
    delete_topics,
    named_topics,
)
from godel.errors import ApiError, ErrorCode
from godel.types import TopicPartition
from tests.wire import Client, batch

pytestmark = pytest.mark.anyio


async def test_topics_are_created_enlarged_and_deleted(cluster: Cluster, outside: Client) -> None:
    ((made, outcome),) = await create_topics(cluster, ["flights"], partitions=2, configs={})
    assert outcome.error is None
    assert made.num_partitions == 2
    (enlarged,) = await create_partitions(cluster, {"flights": 3})
    assert enlarged.error is None
    (topic,) = await all_topics(cluster)
    assert topic.indexes() == [TopicPartition("flights", each) for each in range(3)]
    assert (topic.replication_factor, topic.under_replicated, topic.without_leader) == (1, [], [])
    (deleted,) = await delete_topics(cluster, ["flights"])
    assert deleted.error is None
    assert await all_topics(cluster) == []


async def test_a_dry_run_makes_nothing(cluster: Cluster, outside: Client) -> None:
    ((_, outcome),) = await create_topics(cluster, ["flights"], configs={}, dry_run=True)
    assert outcome.error is None
    assert await all_topics(cluster) == []


async def test_each_topic_has_its_outcome(cluster: Cluster, outside: Client) -> None:
    outside.create("flights")
    outcomes = {each.name: each.error for each in await delete_topics(cluster, ["flights", "no"])}
    assert outcomes["flights"] is None
    assert outcomes["no"] is not None
    assert outcomes["no"].code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_a_wrong_name_comes_with_the_right_ones(cluster: Cluster, outside: Client) -> None:
    outside.create("flights")
    with pytest.raises(NotFound) as missing:
        await named_topics(cluster, ["flights", "flight"])
    assert (missing.value.name, missing.value.known) == ("flight", ["flights"])


async def test_records_are_deleted(cluster: Cluster, outside: Client) -> None:
    outside.create("flights", partitions=2)
    outside.produce("flights", batch("a", "b"))
    first, second = TopicPartition("flights", 0), TopicPartition("flights", 1)
    begins = await delete_records(cluster, {first: 1, second: 7})
    assert begins[first] == 1
    failure = begins[second]
    assert isinstance(failure, ApiError)
    assert failure.code is ErrorCode.OFFSET_OUT_OF_RANGE


def test_partitions_by_topic() -> None:
    a0, b0, a1 = TopicPartition("a", 0), TopicPartition("b", 0), TopicPartition("a", 1)
    assert by_topic([a0, b0, a1]) == {"a": [a0, a1], "b": [b0]}
