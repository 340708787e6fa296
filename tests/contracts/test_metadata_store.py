"""What every metadata store owes: guards, revisions, ranges, watches that never skip, sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from godel.metadata.memory_store import MemoryStore
from godel.metadata.sqlite_store import SqliteStore
from godel.metadata.store import (
    MAX_OPERATIONS,
    MAX_PAGE,
    MAX_VALUE_BYTES,
    Compare,
    Delete,
    Events,
    HistoryGone,
    MetadataStore,
    Put,
    StoreUnavailable,
    session_key,
)

pytestmark = pytest.mark.anyio


async def memory(path: Path) -> MetadataStore:
    del path
    return MemoryStore()


async def sqlite(path: Path) -> MetadataStore:
    return await SqliteStore.open(path / "metadata.sqlite")


@pytest.fixture(params=[memory, sqlite], ids=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataStore]:
    make: Callable[[Path], Awaitable[MetadataStore]] = request.param
    made = await make(tmp_path)
    yield made
    await made.close()


async def put(store: MetadataStore, key: bytes, value: bytes = b"v") -> int:
    result = await store.txn((), (Put(key, value),))
    assert result.succeeded
    return result.revision


async def collect(events: AsyncIterator[Events], count: int) -> list[Events]:
    return [await asyncio.wait_for(anext(events), 5) for _ in range(count)]


async def test_an_absent_key_is_none(store: MetadataStore) -> None:
    assert await store.get(b"nothing") is None


async def test_revisions_count_the_transactions_that_write(store: MetadataStore) -> None:
    first = await put(store, b"a", b"1")
    second = await put(store, b"b", b"2")
    third = await put(store, b"a", b"3")
    assert (second, third) == (first + 1, first + 2)
    entry = await store.get(b"a")
    assert entry == (b"a", b"3", first, third)


async def test_all_operations_of_a_transaction_share_its_revision(store: MetadataStore) -> None:
    result = await store.txn((), (Put(b"a", b"1"), Put(b"b", b"2"), Delete(b"nothing")))
    for key in (b"a", b"b"):
        entry = await store.get(key)
        assert entry is not None
        assert entry.mod_revision == result.revision


async def test_a_deleted_key_begins_anew(store: MetadataStore) -> None:
    await put(store, b"a")
    await store.txn((), (Delete(b"a"),))
    assert await store.get(b"a") is None
    again = await put(store, b"a")
    entry = await store.get(b"a")
    assert entry is not None
    assert entry.create_revision == again


async def test_deleting_nothing_succeeds_and_is_no_revision(store: MetadataStore) -> None:
    before = await put(store, b"a")
    result = await store.txn((), (Delete(b"nothing"),))
    assert result == (True, before)


async def test_a_guard_on_an_absent_key_lets_one_writer_through(store: MetadataStore) -> None:
    guard = Compare(b"a", 0)
    assert (await store.txn((guard,), (Put(b"a", b"mine"),))).succeeded
    assert not (await store.txn((guard,), (Put(b"a", b"yours"),))).succeeded
    entry = await store.get(b"a")
    assert entry is not None
    assert entry.value == b"mine"


async def test_one_guard_that_fails_stops_every_operation(store: MetadataStore) -> None:
    revision = await put(store, b"a")
    result = await store.txn(
        (Compare(b"a", revision), Compare(b"b", 7)), (Put(b"c", b""), Delete(b"a"))
    )
    assert result == (False, revision)
    assert await store.get(b"c") is None
    assert await store.get(b"a") is not None


async def test_concurrent_counters_lose_nothing(store: MetadataStore) -> None:
    await put(store, b"n", b"0")

    async def add_five() -> None:
        for _ in range(5):
            while True:
                entry = await store.get(b"n")
                assert entry is not None
                guard = Compare(b"n", entry.mod_revision)
                value = b"%d" % (int(entry.value) + 1)
                if (await store.txn((guard,), (Put(b"n", value),))).succeeded:
                    break

    await asyncio.gather(*(add_five() for _ in range(4)))
    entry = await store.get(b"n")
    assert entry is not None
    assert entry.value == b"20"


async def test_ranges_are_ordered_paged_and_keep_to_the_prefix(store: MetadataStore) -> None:
    keys = [b"p/%03d" % number for number in range(25)]
    for key in [b"o/z", *reversed(keys), b"p0", b"q", b"p/\xff\xff", b"p"]:
        await put(store, key)
    seen: list[bytes] = []
    after = None
    sizes = []
    while True:
        page = await store.range(b"p/", after, 10)
        seen += [entry.key for entry in page.entries]
        sizes.append(len(page.entries))
        if not page.more:
            break
        after = page.entries[-1].key
    assert seen == [*keys, b"p/\xff\xff"]
    assert sizes == [10, 10, 6]


async def test_a_page_that_ends_with_the_range_says_so(store: MetadataStore) -> None:
    for number in range(4):
        await put(store, b"p%d" % number)
    page = await store.range(b"p", None, 4)
    assert (len(page.entries), page.more) == (4, False)
    assert page.revision == page.entries[-1].mod_revision


async def test_the_empty_prefix_is_everything(store: MetadataStore) -> None:
    for key in (b"\xff\xff", b"a", b"\x00"):
        await put(store, key)
    page = await store.range(b"", None, 10)
    assert [entry.key for entry in page.entries] == [b"\x00", b"a", b"\xff\xff"]
    page = await store.range(b"\xff", None, 10)
    assert [entry.key for entry in page.entries] == [b"\xff\xff"]


async def test_a_page_is_bounded_whatever_is_asked(store: MetadataStore) -> None:
    for start in range(0, MAX_PAGE + 1, MAX_OPERATIONS):
        await store.txn((), [Put(b"%06d" % (start + step), b"") for step in range(MAX_OPERATIONS)])
    page = await store.range(b"", None, 10**9)
    assert (len(page.entries), page.more) == (MAX_PAGE, True)


async def test_values_keep_their_bytes(store: MetadataStore) -> None:
    for value in (b"", b"\x00\xff" * 100, b"x" * MAX_VALUE_BYTES):
        await put(store, b"k", value)
        entry = await store.get(b"k")
        assert entry is not None
        assert entry.value == value


@pytest.mark.parametrize(
    "ops",
    [
        [Put(b"%d" % number, b"") for number in range(MAX_OPERATIONS + 1)],
        [Put(b"a", b""), Delete(b"a")],
        [Put(b"a", b"x" * (MAX_VALUE_BYTES + 1))],
    ],
    ids=["too many", "a key twice", "too large"],
)
async def test_limits_are_bugs_of_the_caller(store: MetadataStore, ops: list[Put | Delete]) -> None:
    with pytest.raises(ValueError, match=r"at most|twice"):
        await store.txn((), ops)
    assert (await store.range(b"", None, 10)).entries == ()


async def test_a_watch_shows_each_transaction_once_and_in_order(store: MetadataStore) -> None:
    first = await put(store, b"p/a", b"1")
    await store.txn((), (Put(b"p/b", b"2"), Put(b"q", b"no"), Delete(b"p/a")))
    watch = store.watch(b"p/", first)
    one, two = await collect(watch, 2)
    assert one.revision == first
    assert [(each.key, each.entry and each.entry.value) for each in two.changes] == [
        (b"p/b", b"2"),
        (b"p/a", None),
    ]


async def test_a_watch_waits_for_what_comes(store: MetadataStore) -> None:
    before = await put(store, b"p")
    watch = store.watch(b"p", before + 1)
    waiting = asyncio.ensure_future(collect(watch, 3))
    await put(store, b"elsewhere")
    for value in (b"1", b"2", b"3"):
        await put(store, b"p", value)
    events = await waiting
    assert [each.changes[0].entry.value for each in events if each.changes[0].entry] == [
        b"1",
        b"2",
        b"3",
    ]


async def test_watchers_do_not_disturb_each_other(store: MetadataStore) -> None:
    start = await put(store, b"a")
    slow, fast = store.watch(b"", start), store.watch(b"", start)
    for number in range(20):
        await put(store, b"a", b"%d" % number)
    assert [each.revision for each in await collect(fast, 21)] == list(range(start, start + 21))
    assert [each.revision for each in await collect(slow, 21)] == list(range(start, start + 21))


async def test_closing_ends_a_watch_and_refuses_everything(store: MetadataStore) -> None:
    revision = await put(store, b"a")
    waiting = asyncio.ensure_future(anext(store.watch(b"", revision + 1)))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await waiting


async def test_a_later_session_fences_the_earlier(store: MetadataStore) -> None:
    first = await store.open_session(1, b"first", 10)
    other = await store.open_session(2, b"other", 10)
    assert (await store.txn((first.guard,), (Put(b"a", b"1"),))).succeeded
    second = await store.open_session(1, b"second", 10)
    assert not (await store.txn((first.guard,), (Put(b"a", b"2"),))).succeeded
    assert (await store.txn((second.guard, other.guard), (Put(b"a", b"3"),))).succeeded
    await first.close()
    entry = await store.get(session_key(1))
    assert entry is not None
    assert entry.value == b"second"


async def test_a_closed_session_is_gone(store: MetadataStore) -> None:
    session = await store.open_session(1, b"", 10)
    await session.close()
    assert await store.get(session_key(1)) is None
    assert not (await store.txn((session.guard,), (Put(b"a", b""),))).succeeded


async def test_a_caller_that_goes_away_leaves_a_whole_transaction(store: MetadataStore) -> None:
    before = await put(store, b"a", b"0")
    task = asyncio.ensure_future(store.txn((), (Put(b"a", b"1"), Put(b"b", b"1"))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    after = await put(store, b"c")
    values = [(await store.get(key)) for key in (b"a", b"b")]
    happened = [entry is not None and entry.value == b"1" for entry in values]
    assert happened in ([True, True], [False, False])
    seen = await collect(store.watch(b"", before + 1), after - before)
    assert [each.revision for each in seen] == list(range(before + 1, after + 1))


async def test_memory_says_when_history_is_gone() -> None:
    store = MemoryStore(max_history=3)
    for _ in range(10):
        await put(store, b"a")
    with pytest.raises(HistoryGone) as gone:
        await anext(store.watch(b"", 1))
    assert gone.value.oldest == 8
    assert [each.revision for each in await collect(store.watch(b"", 8), 3)] == [8, 9, 10]
