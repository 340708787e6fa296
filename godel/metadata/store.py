"""The seam between the broker and the store of what exists: topics, configs, sessions, ids.

A consistent key-value store in etcd's manner. Every successful transaction that writes gets the
next revision; a key remembers the revision that created it and the one that changed it last
(0: no such key). Guards are compares on that. `watch` is ordered and never skips: a watcher that
has fallen behind what is kept gets `HistoryGone` and reads everything anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

MAX_OPERATIONS = 100
"""Operations in one transaction; etcd allows 128."""

MAX_VALUE_BYTES = 1_400_000
"""One value; etcd takes requests of 1.5 MiB."""

MAX_PAGE = 1000


class StoreUnavailable(Exception):
    """The store could not do it, or it is unknown whether it did."""


class HistoryGone(Exception):
    """The asked-for revision is older than the history that is kept."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history begins at revision {oldest}")
        self.oldest = oldest


class KV(NamedTuple):
    """A key with its value and the revisions that created and last changed it."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int


class Page(NamedTuple):
    """Part of a range in the order of keys, as of `revision`. `more`: go on after the last key."""

    entries: tuple[KV, ...]
    revision: int
    more: bool


class Compare(NamedTuple):
    """A guard: the key's modify revision is this one. 0: the key does not exist."""

    key: bytes
    mod_revision: int


class Put(NamedTuple):
    """Write a value."""

    key: bytes
    value: bytes


class Delete(NamedTuple):
    """Remove a key; one that is not there is no error."""

    key: bytes


Op: TypeAlias = Put | Delete


class TxnResult(NamedTuple):
    """`succeeded` False: a guard did not hold, nothing was written. `revision`: the store's now."""

    succeeded: bool
    revision: int


class Change(NamedTuple):
    """What became of a key; `entry` None: it was deleted."""

    key: bytes
    entry: KV | None


class Events(NamedTuple):
    """Everything that one transaction changed under the watched prefix."""

    revision: int
    changes: tuple[Change, ...]


class Session(Protocol):
    """A broker's claim to its id. A later session of the same id takes the claim over."""

    @property
    def guard(self) -> Compare:
        """Holds in a transaction as long as this session is the latest of its broker."""
        ...

    async def close(self) -> None:
        """Give the claim up; nothing happens when it was taken over."""
        ...


class MetadataStore(Protocol):
    """See the module. All methods may raise `StoreUnavailable`."""

    async def get(self, key: bytes) -> KV | None: ...

    async def range(self, prefix: bytes, after: bytes | None, limit: int) -> Page:
        """The keys that begin with `prefix`, beyond `after`; at most `limit` and `MAX_PAGE`."""
        ...

    async def txn(self, compares: Sequence[Compare], ops: Sequence[Op]) -> TxnResult:
        """All operations, if all guards hold. At most `MAX_OPERATIONS`, no key written twice."""
        ...

    def watch(self, prefix: bytes, from_revision: int) -> AsyncIterator[Events]:
        """Changes from that revision on, for ever. Raises `HistoryGone`."""
        ...

    async def open_session(self, broker_id: int, info: bytes, ttl_s: float) -> Session:
        """Write `info` under the broker's key, and fence whoever wrote it before."""
        ...

    async def close(self) -> None: ...


def session_key(broker_id: int) -> bytes:
    """Where a broker's session stands."""
    return b"brokers/%d" % broker_id


def check_txn(ops: Sequence[Op]) -> None:
    """The limits that every backend has. A breach is a bug of the caller."""
    if len(ops) > MAX_OPERATIONS:
        raise ValueError(f"{len(ops)} operations in a transaction; at most {MAX_OPERATIONS}")
    if len({op.key for op in ops}) != len(ops):
        raise ValueError("a key is written twice in one transaction")
    for op in ops:
        if isinstance(op, Put) and len(op.value) > MAX_VALUE_BYTES:
            raise ValueError(f"a value of {len(op.value)} bytes; at most {MAX_VALUE_BYTES}")


class KeySession:
    """A session in a store where one process owns all: it lives until closed or taken over."""

    def __init__(self, store: MetadataStore, guard: Compare) -> None:
        self._store = store
        self._guard = guard

    @property
    def guard(self) -> Compare:
        return self._guard

    async def close(self) -> None:
        await self._store.txn((self._guard,), (Delete(self._guard.key),))


async def open_key_session(store: MetadataStore, broker_id: int, info: bytes) -> KeySession:
    """Write the broker's key; its new modify revision is the guard."""
    key = session_key(broker_id)
    result = await store.txn((), (Put(key, info),))
    return KeySession(store, Compare(key, result.revision))
