"""A coordinator's log in memory, whose appends and commits can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from godel.records.batch import parse_header


class MemoryLog:
    """Commits at once, or with `holds_commits` only when it is told to."""

    def __init__(self, *, holds_commits: bool = False) -> None:
        self.batches: list[bytes] = []
        self.append_error: Exception | None = None
        self._end = 0
        self._committed = 0
        self._commit_error: Exception | None = None
        self._holds_commits = holds_commits
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def append(self, batch: bytes) -> int:
        if self.append_error is not None:
            raise self.append_error
        self.batches.append(batch)
        self._end += parse_header(batch).records_count
        if not self._holds_commits:
            self._committed = self._end
        return self._end

    def committed(self, offset: int) -> Awaitable[None] | None:
        if self._commit_error is not None:
            raise self._commit_error
        if offset <= self._committed:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((offset, future))
        return future

    def replay(self) -> Iterable[bytes]:
        return iter(self.batches)

    def commit_all(self) -> None:
        self._committed = self._end
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def fail_commits(self, error: Exception) -> None:
        self._commit_error = error
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
