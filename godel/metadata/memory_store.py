"""The metadata store in memory: for tests and for the embedded broker.

`interfere` is awaited with the name of each step ("get", "range", "txn", "txn done"): it may wait,
to bring delay, or raise `StoreUnavailable`; after "txn done" the transaction has happened though
its caller is told that it failed, as when an answer is lost on the way.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from godel.metadata.history import MAX_TRANSACTIONS, History
from godel.metadata.store import (
    KV,
    MAX_PAGE,
    Change,
    Compare,
    Events,
    KeySession,
    Op,
    Page,
    Put,
    TxnResult,
    check_txn,
    open_key_session,
)


class MemoryStore:
    """A `MetadataStore`. One event loop."""

    def __init__(
        self,
        *,
        interfere: Callable[[str], Awaitable[None]] | None = None,
        max_history: int = MAX_TRANSACTIONS,
    ) -> None:
        self._entries: dict[bytes, KV] = {}
        self._keys: list[bytes] = []
        self._history = History(0, max_transactions=max_history)
        self.interfere = interfere

    def copy(self) -> MemoryStore:
        """A store of its own with the same entries, as a broker that starts now finds them."""
        copy = MemoryStore()
        copy._entries = dict(self._entries)
        copy._keys = self._keys[:]
        copy._history = History(self._history.revision)
        return copy

    async def get(self, key: bytes) -> KV | None:
        if self.interfere is not None:
            await self.interfere("get")
        return self._entries.get(key)

    async def range(self, prefix: bytes, after: bytes | None, limit: int) -> Page:
        if self.interfere is not None:
            await self.interfere("range")
        limit = min(limit, MAX_PAGE)
        if after is None or after < prefix:
            start = bisect_left(self._keys, prefix)
        else:
            start = bisect_right(self._keys, after)
        found: list[KV] = []
        for key in self._keys[start : start + limit + 1]:
            if not key.startswith(prefix):
                break
            found.append(self._entries[key])
        more = len(found) > limit
        return Page(tuple(found[:limit]), self._history.revision, more)

    async def txn(self, compares: Sequence[Compare], ops: Sequence[Op]) -> TxnResult:
        check_txn(ops)
        if self.interfere is not None:
            await self.interfere("txn")
        result = self._commit(compares, ops)
        if self.interfere is not None:
            await self.interfere("txn done")
        return result

    def _commit(self, compares: Sequence[Compare], ops: Sequence[Op]) -> TxnResult:
        for key, mod_revision in compares:
            entry = self._entries.get(key)
            if (entry.mod_revision if entry is not None else 0) != mod_revision:
                return TxnResult(False, self._history.revision)
        revision = self._history.revision + 1
        changes = tuple(change for op in ops if (change := self._apply(op, revision)) is not None)
        if not changes:
            return TxnResult(True, self._history.revision)
        self._history.append(Events(revision, changes))
        return TxnResult(True, revision)

    def _apply(self, op: Op, revision: int) -> Change | None:
        old = self._entries.get(op.key)
        if isinstance(op, Put):
            created = old.create_revision if old is not None else revision
            entry = KV(op.key, op.value, created, revision)
            self._entries[op.key] = entry
            if old is None:
                insort(self._keys, op.key)
            return Change(op.key, entry)
        if old is None:
            return None
        del self._entries[op.key]
        del self._keys[bisect_left(self._keys, op.key)]
        return Change(op.key, None)

    def watch(self, prefix: bytes, from_revision: int) -> AsyncIterator[Events]:
        return self._history.watch(prefix, from_revision)

    async def open_session(self, broker_id: int, info: bytes, ttl_s: float) -> KeySession:
        del ttl_s  # one process: the session ends with it
        return await open_key_session(self, broker_id, info)

    async def close(self) -> None:
        self._history.close()
