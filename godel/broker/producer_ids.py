"""The broker's supply of producer ids, taken from the metadata store in blocks (KIP-98, KIP-730).

A block is recorded before any of its ids is used, so that no id is handed out twice, also after a
crash; what is left of a block at a stop is lost, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio


class ProducerIds:
    """Ids not handed out yet. Owned by the `Broker`."""

    def __init__(self, allocate_block: Callable[[], Awaitable[range]]) -> None:
        self._allocate_block = allocate_block
        self._block = range(0)
        self._allocating = anyio.Lock()

    @property
    def available(self) -> bool:
        return len(self._block) > 0

    def take(self) -> int:
        producer_id = self._block[0]
        self._block = self._block[1:]
        return producer_id

    async def allocate_and_take(self) -> int:
        """Take an id, asking for a new block when there is none; raises what the store raises."""
        async with self._allocating:
            if not self.available:
                self._block = await self._allocate_block()
            return self.take()
