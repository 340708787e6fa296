"""A data directory that an import, a backup or a restore fills, and that counts when it is whole.

    .unfinished        written first: no broker takes a directory that has it and no `godel.json`
    ...                partitions, metadata, checkpoints: made durable
    godel.json         written last, by one rename: from here on it is a broker's directory

So a crash anywhere leaves a directory that is nobody's, and the next run empties and fills it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from godel.operations.broker_directories import Identity
from godel.storage import layout
from godel.storage.checkpoint_file import write_atomically, write_offsets
from godel.storage.data_directory import (
    CLEAN_SHUTDOWN_TEXT,
    UNREMARKABLE,
    DataDirectoryError,
)
from godel.storage.directory_marks import Mark, write_mark
from godel.storage.files import FileLock, Files, join, parent
from godel.types import TopicPartition

UNFINISHED_TEXT = b"Being filled by godel-broker. If nothing runs: run it again, or remove this.\n"


class LogPosition(NamedTuple):
    """Where a closed log begins and ends."""

    start_offset: int
    end_offset: int
    open_transactions: Mapping[int, int] | None = None
    """Where those began that are open at the end, by producer; None: no batch is in one."""


class NewDirectory:
    """Locked from `begin` to `close`."""

    def __init__(self, files: Files, path: str, lock: FileLock) -> None:
        self._files = files
        self.path = path
        self._lock = lock

    @classmethod
    def begin(cls, files: Files, path: str) -> NewDirectory:
        """Take an empty directory, or one that was not finished. `DataDirectoryError`, OSError."""
        files.make_folder(path)
        files.sync_folder(parent(path))
        _check_emptiness(files, path)
        try:
            lock = files.lock(join(path, layout.LOCK))
        except BlockingIOError:
            raise DataDirectoryError(f"{path} is in use by another process") from None
        directory = cls(files, path, lock)
        try:
            _check_emptiness(files, path)  # again: another process may just have finished it
            write_atomically(files, join(path, layout.UNFINISHED), UNFINISHED_TEXT)
            directory._empty()
        except BaseException:
            lock.close()
            raise
        return directory

    def _empty(self) -> None:
        kept = UNREMARKABLE | {layout.UNFINISHED}
        for name in self._files.list_folders(self.path):
            if name not in kept:
                self._files.remove_folder(join(self.path, name))
        for name in self._files.list_files(self.path):
            if name not in kept:
                self._files.remove(join(self.path, name))

    def folder(self, partition: TopicPartition) -> str:
        return join(self.path, layout.partition_folder(partition))

    def finish(self, identity: Identity, logs: Mapping[TopicPartition, LogPosition]) -> None:
        """Let it count, as after a stop in good order. Its files are durable. Raises OSError."""
        files, path = self._files, self.path
        starts = {name: log.start_offset for name, log in logs.items() if log.start_offset > 0}
        ends = {name: log.end_offset for name, log in logs.items()}
        write_offsets(files, join(path, layout.LOG_START_CHECKPOINT), starts)
        write_offsets(files, join(path, layout.RECOVERY_POINT_CHECKPOINT), ends)
        write_atomically(files, join(path, layout.CLEAN_SHUTDOWN), CLEAN_SHUTDOWN_TEXT)
        write_mark(files, path, Mark(identity.cluster_id, identity.node_id, {}))
        files.remove(join(path, layout.UNFINISHED))
        files.sync_folder(path)

    def close(self) -> None:
        self._lock.close()


def _check_emptiness(files: Files, path: str) -> None:
    names = {*files.list_files(path), *files.list_folders(path)}
    if layout.GODEL_JSON in names:
        raise DataDirectoryError(f"{path} has a broker's data already; choose an empty directory")
    foreign = sorted(names - UNREMARKABLE - {layout.UNFINISHED + layout.TEMPORARY})
    if foreign and layout.UNFINISHED not in names:
        raise DataDirectoryError(
            f"{path} is not empty (it holds {foreign[0]!r}); choose an empty directory"
        )
