"""Beyond the contract (tests/contracts): interference."""

from __future__ import annotations

import asyncio

import pytest

from godel.metadata.memory_store import MemoryStore
from godel.metadata.store import Put, StoreUnavailable

pytestmark = pytest.mark.anyio


async def test_a_step_can_fail_before_anything_happened() -> None:
    async def refuse(step: str) -> None:
        raise StoreUnavailable(step)

    store = MemoryStore(interfere=refuse)
    for attempt in (store.get(b"a"), store.range(b"", None, 1), store.txn((), (Put(b"a", b""),))):
        with pytest.raises(StoreUnavailable):
            await attempt
    store.interfere = None
    assert await store.get(b"a") is None


async def test_an_answer_can_be_lost_after_it_happened() -> None:
    async def lose(step: str) -> None:
        if step == "txn done":
            raise StoreUnavailable("the answer was lost")

    store = MemoryStore(interfere=lose)
    with pytest.raises(StoreUnavailable):
        await store.txn((), (Put(b"a", b"1"),))
    entry = await store.get(b"a")
    assert entry is not None
    assert (await anext(store.watch(b"", 1))).changes[0].entry == entry


async def test_a_step_can_take_its_time() -> None:
    gate = asyncio.Event()

    async def wait(_step: str) -> None:
        await gate.wait()

    store = MemoryStore(interfere=wait)
    task = asyncio.ensure_future(store.txn((), (Put(b"a", b"1"),)))
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    assert (await task).succeeded
