"""Generated lives of a broker: what clients and the broker's own rounds do, step by step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from godel.clock import ManualClock
from godel.records.builder import NewRecord, build_batch
from tests.crash.client import Client
from tests.crash.promises import (
    PartitionPromises,
    Policy,
    Promises,
    SentRecord,
    TopicPromises,
)

SEGMENT_MS = 1000
PASSING = "passing"
"""A topic that comes and goes."""
SMALL = {
    "segment.ms": SEGMENT_MS,
    "index.interval.bytes": 150,
    "file.delete.delay.ms": 300,
    "retention.bytes": 1500,
}


class TopicPlan(NamedTuple):
    policy: Policy
    partitions: int
    configs: Mapping[str, object]


TOPICS = {
    "durable": TopicPlan(Policy.DURABLE, 2, SMALL),
    "cached": TopicPlan(Policy.CACHED, 1, SMALL | {"write.caching": "true"}),
    "compacted": TopicPlan(
        Policy.COMPACTED,
        1,
        SMALL
        | {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": 0,
            "delete.retention.ms": 10 * SEGMENT_MS,
        },
    ),
    PASSING: TopicPlan(Policy.DURABLE, 2, SMALL),
}
KEYS = 5


class History:
    """One life after another on the same data; the choices follow from the source of chance."""

    def __init__(
        self,
        chance: random.Random,
        promises: Promises,
        clock: ManualClock,
        *,
        topics: Mapping[str, TopicPlan] = TOPICS,
        is_kept_when_written: bool = False,
    ) -> None:
        """`is_kept_when_written`: processes die, but the power stays on."""
        self.topics = topics
        self.is_kept_when_written = is_kept_when_written
        self.chance = chance
        self.promises = promises
        self.clock = clock
        self.producer_ids: list[int] = []
        self.sent = 0
        self.under_way: list[asyncio.Future[None]] = []
        steps: list[tuple[int, Callable[[Client], Awaitable[None]]]] = [
            (30, self.produce),
            (6, self.produce_to_all),
            (8, self.let_time_pass),
            (5, self.look),
            (5, self.turn),
            (3, self.wait),
            (5, self.delete_records),
            (4, self.checkpoint),
            (4, self.maintain),
            (5, self.compact),
            (5, self.commit),
            (2, self.get_producer_id),
            (3, self.create_or_delete),
        ]
        self.weights = [weight for weight, _ in steps]
        self.steps = [step for _, step in steps]

    async def begin(self, client: Client) -> None:
        """The first life: make what there is."""
        for name in self.topics:
            if name != PASSING:
                await self.create(client, name)
        await client.find_coordinator()
        await self.get_producer_id(client)

    async def resume(self, client: Client) -> None:
        """A later life: consumers see what has remained."""
        there = await client.topic_ids()
        for name, topic in list(self.promises.topics.items()):
            if name not in there:
                del self.promises.topics[name]
                continue
            topic.id, topic.is_deleting = there[name], False
            for index, partition in enumerate(topic.partitions):
                partition.settle(await client.stored(name, index))
        committed = await client.committed()
        for key, offsets in self.promises.commits.items():
            offsets[:] = [committed.get(key, -1)]

    async def step(self, client: Client) -> None:
        (step,) = self.chance.choices(self.steps, self.weights)
        await step(client)

    # -- records ------------------------------------------------------------------------------

    def pick(self) -> tuple[str, int]:
        topic = self.chance.choice(list(self.promises.topics))
        return topic, self.chance.randrange(len(self.promises.topics[topic].partitions))

    def build(self, topic: str, index: int) -> tuple[bytes, PartitionPromises]:
        """A batch, noted as sent."""
        promised = self.promises.partition(topic, index)
        records = [self._record(promised.policy) for _ in range(self.chance.randint(1, 3))]
        producer_id, sequence = -1, -1
        if self.producer_ids and self.chance.random() < 0.6:
            producer_id = self.chance.choice(self.producer_ids)
            mine = [one for one in promised.batches if one.producer_id == producer_id]
            sequence = sum(one.end_offset - one.base_offset for one in mine)
        data = build_batch(
            [NewRecord(key, value) for key, value in records],
            timestamp_ms=self.clock.now_ms(),
            producer_id=producer_id,
            producer_epoch=0 if producer_id >= 0 else -1,
            base_sequence=sequence,
        )
        promised.send(records, data, producer_id)
        return data, promised

    def _record(self, policy: Policy) -> SentRecord:
        self.sent += 1
        value = b"%d" % self.sent + b"." * self.chance.randrange(150)
        is_keyed = policy is Policy.COMPACTED
        return SentRecord(b"k%d" % self.chance.randrange(KEYS) if is_keyed else None, value)

    async def produce(self, client: Client) -> None:
        topic, index = self.pick()
        acks = self.chance.choice((-1, -1, 1))
        await self._begin(client, topic, index, acks)

    async def _begin(self, client: Client, topic: str, index: int, acks: int) -> None:
        """Send, and do not wait for the answer."""
        self.under_way.append(asyncio.ensure_future(self._produce(client, topic, index, acks)))
        await asyncio.sleep(0)

    async def answered(self) -> None:
        """Wait for every answer."""
        under_way, self.under_way = self.under_way, []
        for failure in await asyncio.gather(*under_way, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _produce(self, client: Client, topic: str, index: int, acks: int) -> None:
        data, promised = self.build(topic, index)
        base_offset, end = promised.batches[-1].base_offset, promised.end
        told = await client.produce(topic, index, data, acks=acks)
        assert told == base_offset
        is_durable = acks == -1 and promised.policy is not Policy.CACHED
        if is_durable or self.is_kept_when_written:
            promised.keep(end)

    async def produce_to_all(self, client: Client) -> None:
        """Several requests before the loop turns."""
        for topic, promised in self.promises.topics.items():
            for index in range(len(promised.partitions)):
                acks = self.chance.choice((-1, 1))
                self.under_way.append(
                    asyncio.ensure_future(self._produce(client, topic, index, acks))
                )
        await asyncio.sleep(0)

    async def look(self, client: Client) -> None:
        """A consumer: what it has seen stays."""
        for topic, promised in self.promises.topics.items():
            for index, partition in enumerate(promised.partitions):
                if partition.policy is not Policy.CACHED:
                    partition.keep((await client.visible(topic, index))[1])

    # -- what else there is --------------------------------------------------------------------

    async def turn(self, client: Client) -> None:
        await client.turns(self.chance.randrange(1, 8))

    async def wait(self, client: Client) -> None:
        await self.answered()

    async def let_time_pass(self, client: Client) -> None:
        self.clock.advance(self.chance.choice((10, SEGMENT_MS // 2, SEGMENT_MS + 1)))

    async def delete_records(self, client: Client) -> None:
        topic, index = self.pick()
        promised = self.promises.partition(topic, index)
        if promised.policy is Policy.COMPACTED:
            return
        start, high_watermark = await client.visible(topic, index)
        if start == high_watermark:
            return
        offset = self.chance.randint(start + 1, high_watermark)
        promised.deleted_end = max(promised.deleted_end, offset)
        told = await client.delete_records(topic, index, offset)
        promised.kept_start = max(promised.kept_start, told)

    async def checkpoint(self, client: Client) -> None:
        await client.checkpoint()

    async def maintain(self, client: Client) -> None:
        for topic, promised in self.promises.topics.items():
            for index, partition in enumerate(promised.partitions):
                if partition.policy is not Policy.COMPACTED:
                    _, high_watermark = await client.visible(topic, index)
                    partition.deleted_end = max(partition.deleted_end, high_watermark)
        await client.maintain()

    async def compact(self, client: Client) -> None:
        await client.compact()

    async def commit(self, client: Client) -> None:
        topic, index = self.pick()
        offset = self.chance.randrange(1000)
        offsets = self.promises.commits.setdefault((topic, index), [-1])
        offsets.append(offset)
        await client.commit(topic, index, offset)
        offsets[:] = [offset]

    async def get_producer_id(self, client: Client) -> None:
        producer_id = await client.producer_id()
        assert producer_id not in self.promises.producer_ids
        self.promises.producer_ids.add(producer_id)
        self.producer_ids.append(producer_id)

    async def create_or_delete(self, client: Client) -> None:
        if PASSING not in self.promises.topics:
            await self.create(client, PASSING)
            return
        await self.answered()
        topic = self.promises.topics[PASSING]
        topic.is_deleting = True
        for index in range(len(topic.partitions)):
            self.promises.commits.get((PASSING, index), []).append(-1)
        await client.delete(PASSING)
        assert topic.id is not None
        self.promises.gone.add(topic.id)
        del self.promises.topics[PASSING]
        for index in range(len(topic.partitions)):
            self.promises.commits.pop((PASSING, index), None)

    async def create(self, client: Client, name: str) -> None:
        plan = self.topics[name]
        promised = TopicPromises([PartitionPromises(plan.policy) for _ in range(plan.partitions)])
        self.promises.topics[name] = promised
        promised.id = await client.create(name, plan.partitions, plan.configs)
