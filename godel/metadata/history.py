"""The recent past of a store that one process owns: what watchers read.

Bounded in transactions and bytes. There is no queue per watcher: each one reads the shared history
at its own pace, and one that falls behind its beginning gets `HistoryGone`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from godel.metadata.store import Events, HistoryGone, StoreUnavailable

MAX_TRANSACTIONS = 4096
MAX_BYTES = 16 * 1024 * 1024


class History:
    """Owned by its store; used on one event loop."""

    def __init__(self, revision: int, *, max_transactions: int = MAX_TRANSACTIONS) -> None:
        self._events: deque[Events] = deque()
        self._size_bytes = 0
        self._max_transactions = max_transactions
        self._watchers: set[asyncio.Future[None]] = set()
        self._closed = False
        self.revision = revision
        """The latest revision there is."""

    @property
    def oldest(self) -> int:
        """The first revision that can be watched from."""
        return self._events[0].revision if self._events else self.revision + 1

    def append(self, events: Events) -> None:
        """Keep one transaction's changes and wake the watchers."""
        assert events.revision == self.revision + 1, (events.revision, self.revision)
        self.revision = events.revision
        self._events.append(events)
        self._size_bytes += _size_bytes(events)
        while len(self._events) > 1 and (
            len(self._events) > self._max_transactions or self._size_bytes > MAX_BYTES
        ):
            self._size_bytes -= _size_bytes(self._events.popleft())
        self._wake()

    def close(self) -> None:
        """End every watch with `StoreUnavailable`."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        self._watchers.clear()

    async def watch(self, prefix: bytes, from_revision: int) -> AsyncIterator[Events]:
        """See `MetadataStore.watch`."""
        position = from_revision
        while True:
            if self._closed:
                raise StoreUnavailable("the metadata store is closed")
            if position < self.oldest:
                raise HistoryGone(self.oldest)
            if position > self.revision:
                await self._grown()
                continue
            events = self._events[position - self.oldest]
            position += 1
            changes = tuple(each for each in events.changes if each.key.startswith(prefix))
            if changes:
                yield Events(events.revision, changes)

    async def _grown(self) -> None:
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.add(watcher)
        try:
            await watcher
        finally:
            self._watchers.discard(watcher)


def _size_bytes(events: Events) -> int:
    return sum(
        len(each.key) + (len(each.entry.value) if each.entry is not None else 0)
        for each in events.changes
    )
