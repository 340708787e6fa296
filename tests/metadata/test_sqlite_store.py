"""The SQLite file: kept over restarts and kills, and refused with a reason when it is not ours."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from godel.metadata.sqlite_store import SqliteStore, StoreUnusable
from godel.metadata.store import Compare, HistoryGone, Put, StoreUnavailable

pytestmark = pytest.mark.anyio

# ruff: noqa: ASYNC240  # small files of a test


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metadata.sqlite"


async def test_everything_is_there_after_a_restart(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.txn((), (Put(b"a", b"1"),))
    last = await store.txn((), (Put(b"b", b"2"),))
    await store.close()
    store = await SqliteStore.open(path)
    assert [entry.value for entry in (await store.range(b"", None, 9)).entries] == [b"1", b"2"]
    assert (await store.txn((), (Put(b"c", b"3"),))).revision == last.revision + 1
    await store.close()


async def test_history_of_an_earlier_run_is_not_pretended(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.txn((), (Put(b"a", b"1"),))
    await store.close()
    store = await SqliteStore.open(path)
    with pytest.raises(HistoryGone):
        await anext(store.watch(b"", 1))
    await store.close()


async def test_closing_twice_is_fine_and_nothing_works_afterwards(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.get(b"a")


async def test_a_second_owner_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path)
    with pytest.raises(StoreUnusable, match="in use by another"):
        await SqliteStore.open(path)
    await store.close()
    again = await SqliteStore.open(path)
    with pytest.raises(StoreUnusable, match="in use by another"):
        await SqliteStore.open(path)
    await again.close()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="cannot open"):
        await SqliteStore.open(tmp_path / "nowhere" / "metadata.sqlite")


async def test_garbage_is_damaged(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))
    with pytest.raises(StoreUnusable, match="damaged"):
        await SqliteStore.open(path)


async def test_a_flipped_page_is_damaged(path: Path) -> None:
    store = await SqliteStore.open(path)
    for number in range(50):
        await store.txn((), (Put(b"%d" % number, b"x" * 1000),))
    await store.close()
    content = bytearray(path.read_bytes())
    for at in range(4096 + 100, len(content), 4096):
        content[at - 100 : at] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match="damaged"):
        await SqliteStore.open(path)


async def test_a_foreign_database_is_left_alone(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE theirs (x)")
    database.commit()
    database.close()
    with pytest.raises(StoreUnusable, match="not one of this broker"):
        await SqliteStore.open(path)


async def test_a_newer_format_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=99")
    database.commit()
    database.close()
    with pytest.raises(StoreUnusable, match="newer release"):
        await SqliteStore.open(path)


WRITER = """
import asyncio, sys
from pathlib import Path
from godel.metadata.sqlite_store import SqliteStore
from godel.metadata.store import Put

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    number = 0
    while True:
        value = b"%d" % number
        await store.txn((), (Put(b"first", value), Put(b"second", value)))
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


async def test_a_kill_loses_nothing_that_was_answered(path: Path) -> None:
    answered = await asyncio.to_thread(write_and_kill, path)
    store = await SqliteStore.open(path)
    values = [(await store.get(key)) for key in (b"first", b"second")]
    kept = {int(entry.value) for entry in values if entry is not None}
    assert len(kept) == 1
    assert kept <= {answered, answered + 1}
    guard = Compare(b"first", values[0].mod_revision if values[0] is not None else 0)
    assert (await store.txn((guard,), (Put(b"first", b""),))).succeeded
    await store.close()


def write_and_kill(path: Path) -> int:
    """Let a process write until it has answered thirty times; the last answer that came."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 30:
            break
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.stdout.close()
    writer.wait()
    return int(rest[-1]) if rest else int(line)
