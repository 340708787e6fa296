"""Finds out which data directories have failed: one that has refused something is tried.

A small file is written and synced there. A single bad file so costs one partition, not all that
share its disk; and a disk that is only full has not failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from godel.errors import StorageFailed
from godel.storage.data_directory import DataDirectory, DataDirectoryError
from godel.storage.files import is_full


class DirectoryWatch:
    """Owned by the log store. `run` is one task of the event loop."""

    def __init__(
        self,
        working: Collection[DataDirectory],
        on_failed: Callable[[DataDirectory, str], None],
    ) -> None:
        """`working`: those that have not failed, as of each moment."""
        self._working = working
        self._on_failed = on_failed
        self._suspects: set[DataDirectory] = set()
        self._is_suspicious = asyncio.Event()

    @contextmanager
    def suspecting(self, directory: DataDirectory) -> Iterator[None]:
        """Whatever the disk refuses here is a reason to try the directory. `StorageFailed`."""
        try:
            yield
        except (OSError, DataDirectoryError) as error:
            self.suspect(directory, error)
            raise StorageFailed(str(error)) from error

    def suspect(self, directory: DataDirectory, error: Exception) -> None:
        """Have it tried, unless this error only says that the disk is full."""
        if not is_full(error):
            self.ask((directory,))

    def ask(self, directories: Iterable[DataDirectory]) -> None:
        """Have them tried soon."""
        self._suspects.update(directories)
        self._is_suspicious.set()

    async def run(self) -> None:
        """Until cancelled, or `on_failed` raises."""
        while True:
            await self._is_suspicious.wait()
            self._is_suspicious.clear()
            while self._suspects:
                directory = self._suspects.pop()
                failure = await _failure_of(directory)
                if failure is not None and directory in self._working:
                    self._on_failed(directory, failure)


async def _failure_of(directory: DataDirectory) -> str | None:
    """Why a directory does not work; None: it does."""
    files = directory.files
    try:
        if files.is_inline:
            directory.probe(files)
        else:
            await asyncio.to_thread(directory.probe, files.another())
    except OSError as error:
        if not is_full(error):
            return f"{directory.path}: {error}"
    return None
