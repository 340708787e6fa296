"""Finds out which data directories have failed: one that has refused something is tried.

A small file is written and synced there. A single bad file so costs one partition, not all that
share its disk; and a disk that is only full has not failed. That it is full is said once, and once
that it is so no more: when nothing was refused from one trial to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from structlog.typing import FilteringBoundLogger

from godel.errors import DiskFull, StorageFailed
from godel.storage.data_directory import DataDirectory, DataDirectoryError
from godel.storage.files import is_full, lacks_descriptors


class DirectoryWatch:
    """Owned by the log store. `run` is one task of the event loop."""

    def __init__(
        self,
        working: Collection[DataDirectory],
        on_failed: Callable[[DataDirectory, str], None],
        *,
        log: FilteringBoundLogger,
    ) -> None:
        """`working`: those that have not failed, as of each moment."""
        self._working = working
        self._on_failed = on_failed
        self._log = log
        self._suspects: set[DataDirectory] = set()
        self._full: set[DataDirectory] = set()
        """Those of which it was said."""
        self._refusing: set[DataDirectory] = set()
        """Those that had no space since they were tried last."""
        self._is_suspicious = asyncio.Event()

    @contextmanager
    def suspecting(self, directory: DataDirectory) -> Iterator[None]:
        """Whatever the disk refuses here is a reason to try the directory. `StorageFailed`."""
        try:
            yield
        except (OSError, DataDirectoryError) as error:
            self.suspect(directory, error)
            raise (DiskFull if is_full(error) else StorageFailed)(str(error)) from error

    def suspect(self, directory: DataDirectory, error: Exception) -> None:
        """Have it tried, unless this error only says that the disk is full."""
        if is_full(error):
            self._note_full(directory, error)
        else:
            self.ask((directory,))

    def _note_full(self, directory: DataDirectory, error: Exception) -> None:
        self._refusing.add(directory)
        if directory not in self._full:
            self._full.add(directory)
            self._log.error(
                "disk_full",
                directory=directory.path,
                reason=str(error),
                consequence="writes there are refused until there is space; reads go on",
            )

    def _note_works(self, directory: DataDirectory) -> None:
        if directory in self._refusing:
            self._refusing.remove(directory)
        elif directory in self._full:
            self._full.remove(directory)
            self._log.info("disk_full_no_more", directory=directory.path)

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
                if directory not in self._working:
                    continue
                if failure is None:
                    self._note_works(directory)
                elif is_full(failure):
                    self._note_full(directory, failure)
                elif not lacks_descriptors(failure):
                    self._on_failed(directory, f"{directory.path}: {failure}")


async def _failure_of(directory: DataDirectory) -> OSError | None:
    """Why a directory does not work; None: it does."""
    files = directory.files
    try:
        if files.is_inline:
            directory.probe(files)
        else:
            await asyncio.to_thread(directory.probe, files.another())
    except OSError as failure:
        return failure
    return None
