"""What a broker has to show for its promises after a crash: asked as a client asks."""

from __future__ import annotations

from collections.abc import Mapping

from godel.records.builder import NewRecord
from tests.crash.client import Client
from tests.crash.promises import PartitionPromises, Promises, Stored, check_partition
from tests.wire import batch


async def check(client: Client, promises: Promises, *, is_last: bool = True) -> None:
    """What was promised is there. `is_last`: nothing follows, so see also that the broker goes on.

    Duplicates are looked for by sending again what is there: that changes nothing, or is the fault
    that is looked for.
    """
    there = await client.topic_ids()
    check_topics(there, promises)
    await check_commits(client, promises)
    if is_last:
        assert await client.producer_id() not in promises.producer_ids, "a producer id comes again"
    for name, topic in promises.topics.items():
        if name in there:
            for index, promised in enumerate(topic.partitions):
                stored = await client.stored(name, index)
                try:
                    check_partition(promised, stored)
                    await check_producers(client, (name, index), promised, stored)
                    if is_last:
                        await check_lost(client, (name, index), promised, stored)
                        await check_new_record(client, name, index)
                except AssertionError as broken:
                    raise AssertionError(f"{name}-{index}: {broken}") from broken


def check_topics(there: Mapping[str, bytes], promises: Promises) -> None:
    for name, topic_id in there.items():
        assert name in promises.topics, f"nobody made {name}"
        assert topic_id not in promises.gone, f"{name} is deleted"
    for name, topic in promises.topics.items():
        if topic.id is not None and not topic.is_deleting:
            assert name in there, f"{name} is gone"
            assert there[name] == topic.id, f"{name} is another one"


async def check_commits(client: Client, promises: Promises) -> None:
    if not promises.commits:
        return
    await client.find_coordinator()
    committed = await client.committed()
    for key, offsets in promises.commits.items():
        assert committed.get(key, -1) in offsets, f"commits of {key}: {offsets}, {committed}"


async def check_producers(
    client: Client, at: tuple[str, int], promised: PartitionPromises, stored: Stored
) -> None:
    """Who sends his last batch again gets no duplicate."""
    for producer_id in sorted({one.producer_id for one in promised.batches} - {-1}):
        mine = [one for one in promised.batches if one.producer_id == producer_id]
        kept = [one for one in mine if one.end_offset <= stored.end]
        if kept and kept[-1].base_offset >= max(stored.start, promised.deleted_end):
            again = await client.produce(*at, kept[-1].data, acks=-1)
            assert again == kept[-1].base_offset, f"{kept[-1]} is there again, at {again}"


async def check_lost(
    client: Client, at: tuple[str, int], promised: PartitionPromises, stored: Stored
) -> None:
    """Who has lost a batch goes on with that."""
    lost = [one for one in promised.batches if one.end_offset > stored.end and one.producer_id >= 0]
    if lost:
        told = await client.produce(*at, lost[0].data, acks=-1)
        assert told == stored.end, f"{lost[0]} is taken for one that is there, at {told}"


async def check_new_record(client: Client, topic: str, index: int) -> None:
    _, end = await client.visible(topic, index)
    told = await client.produce(topic, index, batch(NewRecord(b"new", b"new")), acks=-1)
    assert told == end
    await client.turns(3)
    assert (await client.visible(topic, index))[1] == end + 1
