"""Loading, following, falling behind, waiting."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from godel.clock import ManualClock, Randomness, SystemClock
from godel.config import BrokerConfig
from godel.errors import ApiError, ErrorCode
from godel.metadata import records
from godel.metadata.image import MetadataImage
from godel.metadata.memory_store import MemoryStore
from godel.metadata.publisher import Metadata
from godel.metadata.records import CorruptRecord
from godel.metadata.store import Put, StoreUnavailable
from tests.metadata.composition import controller

pytestmark = pytest.mark.anyio


async def test_the_cluster_id_is_written_once() -> None:
    store = MemoryStore()
    async with controller(store) as first:
        cluster_id = first.metadata.image.cluster_id
    assert len(cluster_id) == 22
    async with controller(store) as second:
        assert second.metadata.image.cluster_id == cluster_id


async def test_a_given_cluster_id_is_used() -> None:
    metadata = Metadata(
        MemoryStore(),
        node_id=1,
        config=BrokerConfig(),
        clock=SystemClock(),
        randomness=Randomness(1),
        log=structlog.get_logger(),
    )
    await metadata.start(cluster_id="mine")
    assert metadata.image.cluster_id == "mine"
    await metadata.close()
    with pytest.raises(CorruptRecord, match="of cluster mine"):
        await metadata.start(cluster_id="yours")


async def test_a_restart_has_everything_over_many_pages() -> None:
    store = MemoryStore()
    async with controller(store) as first:
        await first.metadata.store.txn((), (Put(b"configs/group/g", b'{"a":"b"}'),))
        for start in range(0, 1200, 100):
            ops = [Put(b"configs/group/%d" % (start + step), b"{}") for step in range(100)]
            await store.txn((), ops)
        await first.topics.create_topic("a", partitions=3)
    async with controller(store) as second:
        image = second.metadata.image
        assert len(image.topics["a"].partitions) == 3
        assert len(image.group_overrides) == 1201


async def test_each_unclean_start_raises_the_epochs() -> None:
    store = MemoryStore()
    async with controller(store) as broker:
        await broker.topics.create_topic("a")
    epochs = []
    for unclean in (False, True, True, False):
        async with controller(store, unclean=unclean) as broker:
            epochs.append(broker.metadata.image.topics["a"].partitions[0].leader_epoch)
            await broker.topics.create_topic(f"more{len(epochs)}")
    assert epochs == [0, 1, 2, 2]


async def test_an_epoch_survives_a_change_of_its_topic() -> None:
    store = MemoryStore()
    async with controller(store) as broker:
        await broker.topics.create_topic("a")
    async with controller(store, unclean=True) as broker:
        await broker.topics.add_partitions("a", 2)
        partitions = broker.metadata.image.topics["a"].partitions
        assert [each.leader_epoch for each in partitions] == [1, 1]


async def test_subscribers_see_each_change_and_can_leave() -> None:
    async with controller() as broker:
        seen: list[tuple[MetadataImage, MetadataImage]] = []
        leave = broker.metadata.subscribe(lambda old, new: seen.append((old, new)))
        await broker.topics.create_topic("a")
        ((old, new),) = seen
        assert ("a" in old.topics, "a" in new.topics) == (False, True)
        leave()
        await broker.topics.create_topic("b")
        assert len(seen) == 1


async def test_a_subscriber_that_fails_does_not_stop_the_others() -> None:
    async with controller() as broker:
        seen = []

        def fail(_old: MetadataImage, _new: MetadataImage) -> None:
            raise RuntimeError("a bug")

        broker.metadata.subscribe(fail)
        broker.metadata.subscribe(lambda _, new: seen.append(new))
        await broker.topics.create_topic("a")
        assert "a" in seen[-1].topics


async def test_waiting_for_a_revision_is_bounded() -> None:
    clock = ManualClock()
    async with controller(clock=clock) as broker:
        waiting = asyncio.ensure_future(broker.metadata.reached(10**6, 500))
        await asyncio.sleep(0)
        clock.advance(500)
        with pytest.raises(ApiError) as error:
            await waiting
        assert error.value.code is ErrorCode.REQUEST_TIMED_OUT


async def test_closing_lets_those_who_wait_go() -> None:
    async with controller() as broker:
        waiting = asyncio.ensure_future(broker.metadata.reached(10**6))
        await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await waiting


async def test_falling_behind_reloads_everything() -> None:
    store = MemoryStore(max_history=2)
    async with controller(store) as broker:
        # All of it before the task that follows gets a turn.
        for number in range(9):
            await store.txn((), (Put(b"configs/group/%d" % number, b"{}"),))
        last = await store.txn((), (Put(b"configs/group/last", b"{}"),))
        image = await broker.metadata.reached(last.revision)
        assert len(image.group_overrides) == 10


async def test_a_store_that_fails_for_a_while_is_caught_up_with() -> None:
    store = MemoryStore()
    failures = 0

    async def interfere(step: str) -> None:
        nonlocal failures
        if step == "range" and failures < 2:
            failures += 1
            raise StoreUnavailable("not now")

    clock = ManualClock()
    async with controller(MemoryStore(), clock=clock):
        pass
    store = MemoryStore(max_history=1)
    async with controller(store, clock=clock) as broker:
        store.interfere = interfere
        for number in range(3):
            await store.txn((), (Put(b"configs/group/%d" % number, b"{}"),))
        waiting = asyncio.ensure_future(broker.metadata.reached(store_revision(store)))
        for _ in range(20):
            await asyncio.sleep(0)
            clock.advance(100)
        assert len((await waiting).group_overrides) == 3
        assert failures == 2


def store_revision(store: MemoryStore) -> int:
    return store._history.revision


async def test_a_corrupt_record_stops_the_start() -> None:
    store = MemoryStore()
    await store.txn((), (Put(records.topic_key("a"), b"{"),))
    with pytest.raises(CorruptRecord, match="topics/a"):
        async with controller(store):
            pass


async def test_the_session_guards_and_shows_the_broker() -> None:
    async with controller(brokers=3) as broker:
        image = broker.metadata.image
        assert sorted(image.brokers) == [1, 2, 3]
        assert image.brokers[1] == (1, "localhost", 9092, None)
        session = broker.metadata.session
        assert session is not None
        assert (await broker.metadata.store.txn((session.guard,), ())).succeeded


async def test_a_broker_that_closed_is_not_listed_any_more() -> None:
    store = MemoryStore()
    async with controller(store) as broker:
        assert await store.get(b"brokers/1") is not None
        await broker.topics.create_topic("a")
    assert await store.get(b"brokers/1") is None


async def test_signing_off_leaves_a_successor_alone() -> None:
    store = MemoryStore()
    async with controller(store) as successor:
        async with controller(store) as broker:
            await successor.metadata.register("localhost", 9099)
            await broker.metadata.reached((await store.txn((), ())).revision)
        entry = await store.get(b"brokers/1")
        assert entry is not None
        assert b"9099" in entry.value
