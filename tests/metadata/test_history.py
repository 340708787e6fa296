"""The history that watchers read is bounded and honest."""

from __future__ import annotations

import pytest

from godel.metadata import history
from godel.metadata.history import History
from godel.metadata.store import KV, Change, Events, HistoryGone

pytestmark = pytest.mark.anyio


def events(revision: int, size: int = 1) -> Events:
    entry = KV(b"k", b"x" * size, 1, revision)
    return Events(revision, (Change(b"k", entry),))


async def test_it_is_bounded_in_transactions() -> None:
    kept = History(0, max_transactions=3)
    for revision in range(1, 10):
        kept.append(events(revision))
    assert (kept.oldest, kept.revision) == (7, 9)
    with pytest.raises(HistoryGone):
        await anext(kept.watch(b"", 6))


async def test_it_is_bounded_in_bytes_but_keeps_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "MAX_BYTES", 100)
    kept = History(0)
    for revision in range(1, 6):
        kept.append(events(revision, 40))
    assert kept.oldest == 4
    kept.append(events(6, 1000))
    assert kept.oldest == 6


async def test_a_gap_is_a_bug() -> None:
    kept = History(5)
    with pytest.raises(AssertionError):
        kept.append(events(7))


async def test_a_watcher_that_falls_behind_while_it_works_is_told() -> None:
    kept = History(0, max_transactions=2)
    kept.append(events(1))
    watch = kept.watch(b"", 1)
    await anext(watch)
    for revision in range(2, 6):
        kept.append(events(revision))
    with pytest.raises(HistoryGone):
        await anext(watch)
