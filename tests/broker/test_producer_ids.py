"""The supply of producer ids: blocks, one allocation at a time, failures that lose nothing."""

from __future__ import annotations

import asyncio

import pytest

from godel.broker.producer_ids import ProducerIds
from godel.errors import ApiError, ErrorCode

pytestmark = pytest.mark.anyio


class Store:
    """Hands out blocks of three when it is let."""

    def __init__(self) -> None:
        self.blocks = 0
        self.failures = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def allocate(self) -> range:
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR)
        self.blocks += 1
        return range(3 * self.blocks, 3 * self.blocks + 3)


async def test_ids_come_in_order_from_block_after_block() -> None:
    store = Store()
    ids = ProducerIds(store.allocate)
    taken = []
    for _ in range(7):
        taken.append(ids.take() if ids.available else await ids.allocate_and_take())
    assert taken == [3, 4, 5, 6, 7, 8, 9]
    assert store.blocks == 3


async def test_many_who_wait_share_a_block() -> None:
    store = Store()
    store.gate.clear()
    ids = ProducerIds(store.allocate)
    waiting = [asyncio.ensure_future(ids.allocate_and_take()) for _ in range(5)]
    await asyncio.sleep(0)
    store.gate.set()
    taken = await asyncio.gather(*waiting)
    assert sorted(taken) == [3, 4, 5, 6, 7]
    assert store.blocks == 2


async def test_a_store_that_fails_refuses_one_and_serves_the_next() -> None:
    store = Store()
    store.failures = 1
    ids = ProducerIds(store.allocate)
    with pytest.raises(ApiError):
        await ids.allocate_and_take()
    assert await ids.allocate_and_take() == 3


async def test_one_who_gives_up_does_not_stop_the_others() -> None:
    store = Store()
    store.gate.clear()
    ids = ProducerIds(store.allocate)
    first = asyncio.ensure_future(ids.allocate_and_take())
    second = asyncio.ensure_future(ids.allocate_and_take())
    await asyncio.sleep(0)
    first.cancel()
    store.gate.set()
    assert await second == 3
