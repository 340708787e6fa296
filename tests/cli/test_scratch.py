"""Scratch topics go away, whatever happens."""

from __future__ import annotations

import anyio
import pytest

from godel.cli.scratch import scratch_topic
from godel.client.cluster import Cluster, parse_addresses
from godel.client.topics import all_topics, delete_topics
from godel.errors import ApiError, ErrorCode
from godel.testing import Broker

pytestmark = pytest.mark.anyio


def cluster_of(broker: Broker) -> Cluster:
    return Cluster(parse_addresses(broker.bootstrap_servers), timeout_ms=5_000)


async def test_it_is_there_while_it_is_needed(broker: Broker) -> None:
    async with cluster_of(broker) as cluster:
        async with scratch_topic(cluster, "trial", partitions=2) as name:
            (topic,) = await all_topics(cluster)
            assert (topic.name, len(topic.partitions)) == (name, 2)
        assert await all_topics(cluster) == []


async def test_it_goes_when_what_it_is_for_fails(broker: Broker) -> None:
    async with cluster_of(broker) as cluster:
        with pytest.raises(ZeroDivisionError):
            async with scratch_topic(cluster, "trial"):
                raise ZeroDivisionError
        assert await all_topics(cluster) == []


async def test_it_goes_when_somebody_interrupts(broker: Broker) -> None:
    async with cluster_of(broker) as cluster:
        with anyio.CancelScope() as scope:
            async with scratch_topic(cluster, "trial"):
                scope.cancel()
                await anyio.sleep_forever()
        assert await all_topics(cluster) == []


async def test_one_that_is_refused_says_why(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    async with cluster_of(broker) as cluster:
        with pytest.raises(ApiError) as refused:
            async with scratch_topic(cluster, "trial", configs={"no.such.key": "1"}):
                pass
    assert refused.value.code is ErrorCode.INVALID_CONFIG
    assert capsys.readouterr().err == ""


async def test_one_that_is_gone_already_is_fine(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    async with cluster_of(broker) as cluster, scratch_topic(cluster, "trial") as name:
        await delete_topics(cluster, [name])
    assert capsys.readouterr().err == ""
