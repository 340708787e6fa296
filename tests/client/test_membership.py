"""Members of a group: sharing, committing, leaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio
import anyio.lowlevel
import pytest

from godel.client.cluster import Cluster, parse_addresses
from godel.client.groups import committed_offsets, describe_group
from godel.client.membership import Assignor, Member
from godel.client.offsets import EARLIEST, list_offsets
from godel.clock import SystemClock
from godel.testing import Broker
from godel.types import TopicPartition
from tests.wire import Client, batch

pytestmark = pytest.mark.anyio

BOTH = [TopicPartition("flights", 0), TopicPartition("flights", 1)]


class Hasty(SystemClock):
    """A clock whose pauses are short: heartbeats come at once."""

    async def sleep(self, delay_ms: float) -> None:
        await super().sleep(min(delay_ms, 5))


def client(broker: Broker) -> Cluster:
    addresses = parse_addresses(broker.bootstrap_servers)
    return Cluster(addresses, timeout_ms=10_000, clock=Hasty())


def member(cluster: Cluster, assignor: Assignor = Assignor.RANGE, **options: object) -> Member:
    async def start(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return await list_offsets(cluster, dict.fromkeys(partitions, EARLIEST))

    return Member(cluster, "board", ["flights"], start=start, assignor=assignor, **options)  # type: ignore[arg-type]  # options by name


@pytest.fixture(autouse=True)
def _topic(outside: Client) -> None:
    outside.create("flights", partitions=2)
    outside.produce("flights", batch("a", "b"))


async def read(member: Member, count: int) -> list[str]:
    values: list[str] = []
    while len(values) < count:
        for each in await member.poll():
            for record in each.records():
                values.append((record.value or b"").decode())
                member.processed({each.partition: record.offset + 1})
    return values


async def test_a_member_reads_commits_and_leaves(broker: Broker, outside: Client) -> None:
    async with client(broker) as cluster:
        async with member(cluster) as alone:
            assert await read(alone, 2) == ["a", "b"]
            assert list(alone.assigned) == BOTH
            group = await describe_group(cluster, "board")
            (seen,) = group.members
            assert (group.state, group.assignor, list(seen.assigned)) == ("Stable", "range", BOTH)
        assert (await describe_group(cluster, "board")).state == "Empty"
        assert (await committed_offsets(cluster, "board"))[BOTH[0]].offset == 2
        outside.produce("flights", batch("c"))
        async with member(cluster) as next_one:
            assert await read(next_one, 1) == ["c"]


async def test_without_commits_the_next_one_begins_again(broker: Broker) -> None:
    async with client(broker) as cluster:
        for _ in range(2):
            async with member(cluster, commits=False) as reading:
                assert await read(reading, 2) == ["a", "b"]
        assert await committed_offsets(cluster, "board") == {}


@pytest.mark.parametrize("assignor", list(Assignor))
async def test_two_members_share(broker: Broker, assignor: Assignor) -> None:
    async with (
        client(broker) as one,
        client(broker) as two,
        member(one, assignor) as first,
        member(two, assignor) as second,
    ):
        await first.hold()
        assert list(first.assigned) == BOTH

        async def until_shared(member: Member) -> None:
            """Whoever stops holding keeps the others waiting, so both stop together."""
            while not (len(first.assigned) == len(second.assigned) == 1):
                await member.hold()
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(until_shared, first)
                group.start_soon(until_shared, second)
        assert sorted([*first.assigned, *second.assigned]) == BOTH


async def test_a_static_member_stays(broker: Broker) -> None:
    async with client(broker) as cluster:
        async with member(cluster, instance_id="display-1") as static:
            await static.hold()
        (seen,) = (await describe_group(cluster, "board")).members
        assert seen.instance_id == "display-1"
