"""Offsets of partitions: where they begin and end, and what belongs to a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from godel.client.cluster import Cluster, check
from godel.client.topics import by_topic
from godel.errors import ApiError
from godel.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from godel.types import TopicPartition

LATEST, EARLIEST = -1, -2
CONSUMER = -1
NO_OFFSET = -1


class Span(NamedTuple):
    """What a partition holds: from the first offset up to the end, exclusive."""

    start: int
    end: int


async def list_offsets(
    cluster: Cluster, times: Mapping[TopicPartition, int], *, committed_only: bool = False
) -> dict[TopicPartition, int]:
    """The first offset at or after a time, -1 where all is older; or LATEST, or EARLIEST.

    `committed_only`: the end is where open transactions begin. Errors that pass are tried again.
    """

    async def attempt() -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = {}
        for leader, partitions in (await cluster.by_leader(times)).items():
            request = ListOffsetsRequest(
                replica_id=CONSUMER,
                isolation_level=int(committed_only),
                topics=[
                    ListOffsetsTopic(
                        name=name,
                        partitions=[
                            ListOffsetsPartition(
                                partition_index=each.partition, timestamp=times[each]
                            )
                            for each in group
                        ],
                    )
                    for name, group in by_topic(partitions).items()
                ],
                timeout_ms=int(cluster.timeout_ms),
            )
            answer = await cluster.ask_node(leader, request, ListOffsetsResponse)
            for topic in answer.topics:
                for each in topic.partitions:
                    where = TopicPartition(topic.name, each.partition_index)
                    check(each.error_code, f"offsets of {where}")
                    found[where] = each.offset
        return found

    return await cluster.retried(attempt)


async def spans(
    cluster: Cluster, partitions: Iterable[TopicPartition], *, committed_only: bool = False
) -> dict[TopicPartition, Span]:
    """Where partitions begin and end."""
    wanted = list(partitions)
    starts = await list_offsets(cluster, dict.fromkeys(wanted, EARLIEST))
    ends = await list_offsets(cluster, dict.fromkeys(wanted, LATEST), committed_only=committed_only)
    return {each: Span(starts[each], ends[each]) for each in wanted}


async def offsets_at(
    cluster: Cluster, partitions: Iterable[TopicPartition], time_ms: int
) -> dict[TopicPartition, int]:
    """The first offset at or after a time; the end where everything is older, as Kafka's tools."""
    wanted = list(partitions)
    time_ms = max(time_ms, 0)  # on the wire, what is below asks for other things than a time
    found = await list_offsets(cluster, dict.fromkeys(wanted, time_ms))
    older = [each for each in wanted if found[each] == NO_OFFSET]
    if older:
        found |= await list_offsets(cluster, dict.fromkeys(older, LATEST))
    return found


async def spans_where_led(
    cluster: Cluster, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Span]:
    """`spans` without the partitions that have no leader at present: for listings."""
    led = []
    for each in partitions:
        try:
            await cluster.leader(each)
        except ApiError:
            continue
        led.append(each)
    return await spans(cluster, led) if led else {}
