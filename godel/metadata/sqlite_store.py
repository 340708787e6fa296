"""The metadata store in a SQLite file: the daemon's.

One process owns the file and one thread does all its work, so that neither locks nor several
writers exist (a WAL bug of SQLite before 3.51.3 needs several). WAL with synchronous=FULL: a
transaction is one sync, and is kept once it is answered.

    entry(key, value, create_revision, mod_revision)     counter(name, value): "revision"
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import fspath
from pathlib import Path
from typing import TypeVar

from godel.metadata.history import History
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
    StoreUnavailable,
    TxnResult,
    check_txn,
    open_key_session,
)

Result = TypeVar("Result")

APPLICATION_ID = 0x47304445
"""Marks the file as ours ("G0DE")."""

FORMAT = 1

SCHEMA = """
CREATE TABLE entry (
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL,
    create_revision INTEGER NOT NULL,
    mod_revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('revision', 0);
"""


class StoreUnusable(Exception):
    """The file cannot be used; the text says why and what to do."""


class SqliteStore:
    """A `MetadataStore`. Made by `SqliteStore.open`; one event loop."""

    def __init__(
        self, path: Path, database: sqlite3.Connection, worker: ThreadPoolExecutor, revision: int
    ) -> None:
        self._path = path
        self._database = database
        self._worker = worker
        self._history = History(revision)
        self._failed: str | None = None
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> SqliteStore:
        """Open or make the file. Raises `StoreUnusable`."""
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metadata")
        loop = asyncio.get_running_loop()
        try:
            database, revision = await loop.run_in_executor(worker, _open, path)
        except BaseException:
            worker.shutdown(wait=False)
            raise
        return cls(path, database, worker, revision)

    async def get(self, key: bytes) -> KV | None:
        return await self._run(lambda: _get(self._database, key))

    async def range(self, prefix: bytes, after: bytes | None, limit: int) -> Page:
        return await self._run(lambda: _range(self._database, prefix, after, min(limit, MAX_PAGE)))

    async def txn(self, compares: Sequence[Compare], ops: Sequence[Op]) -> TxnResult:
        check_txn(ops)
        result, _ = await self._run(
            lambda: self._transact(tuple(compares), tuple(ops)), self._publish
        )
        return result

    def watch(self, prefix: bytes, from_revision: int) -> AsyncIterator[Events]:
        return self._history.watch(prefix, from_revision)

    async def open_session(self, broker_id: int, info: bytes, ttl_s: float) -> KeySession:
        del ttl_s  # one process: the session ends with it
        return await open_key_session(self, broker_id, info)

    async def close(self) -> None:
        """Finish what was begun, fold the WAL into the file and let it go."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._worker, self._database.close)
        finally:
            self._worker.shutdown(wait=False)
            self._history.close()

    async def _run(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], None] | None = None,
    ) -> Result:
        """Do the work in the thread. `then` is called on the loop even if the caller has gone."""
        if self._failed is not None:
            raise StoreUnavailable(self._failed)
        if self._closed:
            raise StoreUnavailable("the metadata store is closed")
        future = asyncio.get_running_loop().run_in_executor(self._worker, work)

        def finished(done: asyncio.Future[Result]) -> None:
            # Also asks for the exception, so that a caller that has gone leaves no warning.
            if not done.cancelled() and done.exception() is None and then is not None:
                then(done.result())

        future.add_done_callback(finished)
        try:
            return await asyncio.shield(future)
        except sqlite3.Error as error:
            raise StoreUnavailable(_explain(self._path, error)) from error

    def _publish(self, outcome: tuple[TxnResult, Events | None]) -> None:
        _, events = outcome
        if events is not None:
            self._history.append(events)

    def _transact(
        self, compares: Sequence[Compare], ops: Sequence[Op]
    ) -> tuple[TxnResult, Events | None]:
        """In the thread: one transaction, all or nothing."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            outcome = _transact(database, compares, ops)
            database.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return outcome

    def _roll_back(self) -> None:
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error as error:
            # What the file holds now is unknown: nothing more is written until a restart.
            self._failed = f"metadata file {self._path} failed: {error}; restart the broker"


def _open(path: Path) -> tuple[sqlite3.Connection, int]:
    try:
        database = sqlite3.connect(
            fspath(path), isolation_level=None, check_same_thread=False, timeout=0.0
        )
    except sqlite3.Error as error:
        raise StoreUnusable(f"cannot open the metadata file {path}: {error}") from error
    try:
        return database, _prepare(database, path)
    except sqlite3.Error as error:
        database.close()
        raise StoreUnusable(_explain(path, error)) from error
    except BaseException:
        database.close()
        raise


def _explain(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"the metadata file {path} is in use by another process; stop it first"
    if code == sqlite3.SQLITE_FULL:
        return f"there is no space for the metadata file {path}; delete something from its disk"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"the metadata file {path} is damaged ({error}); restore it from a backup"
    return f"cannot use the metadata file {path}: {error}"


def _prepare(database: sqlite3.Connection, path: Path) -> int:
    """Set the file up or check it; the revision it has reached."""
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    application_id = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0:
        database.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID};"
            f" PRAGMA user_version={FORMAT}; COMMIT;"
        )
        return 0
    if application_id != APPLICATION_ID:
        raise StoreUnusable(f"{path} is a SQLite file, but not one of this broker")
    if version > FORMAT:
        raise StoreUnusable(
            f"the metadata file {path} has format {version}, this release reads up to {FORMAT};"
            " use the newer release that wrote it"
        )
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreUnusable(
            f"the metadata file {path} is damaged ({verdict}); restore it from a backup"
        )
    # An empty write takes the exclusive lock now rather than at the first transaction.
    database.execute("BEGIN IMMEDIATE")
    revision = _revision(database)
    database.execute("COMMIT")
    return revision


def _revision(database: sqlite3.Connection) -> int:
    row = database.execute("SELECT value FROM counter WHERE name = 'revision'").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the revision counter is missing")
    return int(row[0])


def _get(database: sqlite3.Connection, key: bytes) -> KV | None:
    row = database.execute(
        "SELECT key, value, create_revision, mod_revision FROM entry WHERE key = ?", (key,)
    ).fetchone()
    return KV(*row) if row is not None else None


def _range(database: sqlite3.Connection, prefix: bytes, after: bytes | None, limit: int) -> Page:
    from_start = after is None or after < prefix
    condition = "key >= ?" if from_start else "key > ?"
    parameters: list[bytes | int] = [prefix if from_start or after is None else after]
    end = _prefix_end(prefix)
    if end is not None:
        condition += " AND key < ?"
        parameters.append(end)
    rows = database.execute(
        "SELECT key, value, create_revision, mod_revision FROM entry"
        f" WHERE {condition} ORDER BY key LIMIT ?",
        (*parameters, limit + 1),
    ).fetchall()
    entries = tuple(KV(*row) for row in rows[:limit])
    return Page(entries, _revision(database), len(rows) > limit)


def _prefix_end(prefix: bytes) -> bytes | None:
    """The first key beyond all that begin with the prefix; None: there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


def _transact(
    database: sqlite3.Connection, compares: Sequence[Compare], ops: Sequence[Op]
) -> tuple[TxnResult, Events | None]:
    current = _revision(database)
    for key, mod_revision in compares:
        entry = _get(database, key)
        if (entry.mod_revision if entry is not None else 0) != mod_revision:
            return TxnResult(False, current), None
    revision = current + 1
    changes: list[Change] = []
    for op in ops:
        old = _get(database, op.key)
        if isinstance(op, Put):
            created = old.create_revision if old is not None else revision
            database.execute(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)",
                (op.key, op.value, created, revision),
            )
            changes.append(Change(op.key, KV(op.key, op.value, created, revision)))
        elif old is not None:
            database.execute("DELETE FROM entry WHERE key = ?", (op.key,))
            changes.append(Change(op.key, None))
    if not changes:
        return TxnResult(True, current), None
    database.execute("UPDATE counter SET value = ? WHERE name = 'revision'", (revision,))
    return TxnResult(True, revision), Events(revision, tuple(changes))
