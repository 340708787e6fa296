"""A partition's way from one data directory to another (KIP-113): the part that touches the disk.

    copying     <to>/topic-0.<unique>-future     follows the log, which is served meanwhile
    decided     <from>/topic-0.<unique>-moved    the copy is whole and synced: this rename decides
    done        <to>/topic-0                     and the old folder is deleted

At no time do two folders have the partition's own name. A start that finds a copy for which nothing
is decided throws it away; what was decided is completed (`complete_moves`). Nothing is deleted from
the log while it is copied, so its files only grow. Source: Kafka's `ReplicaAlterLogDirsThread` and
`LogManager.replaceCurrentWithFutureLog`, which names both folders alike for a moment.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Sequence
from typing import NamedTuple

from godel.errors import StorageFailed
from godel.storage import layout
from godel.storage.data_directory import DataDirectory
from godel.storage.files import Files, join
from godel.storage.layout import MovingFolder
from godel.storage.log import Log
from godel.types import TopicPartition

CHUNK_BYTES = 1 << 20
TRANSIENT = (layout.DELETED, layout.CLEANED, layout.SWAP, layout.TEMPORARY)
WHOLE = -1
"""As a size: all that there is of a file which does not grow."""


class Part(NamedTuple):
    """A file, how far it is to be copied, and where the log's copy ends then."""

    name: str
    size_bytes: int
    next_offset: int


class Relocation:
    """One move. The loop says what is to be copied, the worker thread copies it."""

    def __init__(
        self,
        partition: TopicPartition,
        log: Log,
        *,
        source: DataDirectory,
        target: DataDirectory,
        unique: bytes,
    ) -> None:
        self.partition = partition
        self.log = log
        self.source = source
        self.target = target
        self.future = MovingFolder(partition, unique.hex(), is_future=True)
        self.next_offset = log.log_start_offset
        """How far the copy is, to the batch where a segment is whole."""
        self.size_bytes = 0
        """What the copy has of the batches."""
        self.is_cancelled = False
        self.is_decided = False
        self._copied: dict[str, int] = {}

    @property
    def folder(self) -> str:
        """Of the copy."""
        return join(self.target.path, self.future.name)

    @property
    def left_bytes(self) -> int:
        """How far the copy is behind."""
        return self.log.size_bytes - self.size_bytes

    def parts(self, *, is_last: bool = False) -> list[Part]:
        """What there is to copy now; the active segment's indexes and the epochs come last."""
        segments = self.log.segments
        growing = {
            layout.segment_file(segments[-1].base_offset, suffix)
            for suffix in layout.SEGMENT_SUFFIXES
        } | {layout.LEADER_EPOCH_CHECKPOINT}
        logs = {
            layout.segment_file(segment.base_offset, layout.LOG): segment for segment in segments
        }
        found = [
            Part(name, WHOLE, 0)
            for name in self.source.files.list_files(self.log.folder)
            if name not in logs
            and name not in self._copied
            and not name.endswith(TRANSIENT)
            and (is_last or name not in growing)
        ]
        for name, segment in logs.items():
            if self._copied.get(name, WHOLE) < segment.size_bytes:
                found.append(Part(name, segment.size_bytes, segment.next_offset))
        return found

    def copy(self, files: Files, parts: Sequence[Part]) -> Generator[int, None, None]:
        """Copy and sync, a chunk a step, through the door of whoever does it. Raises OSError."""
        files.make_folder(self.folder)
        for part in parts:
            yield from self._copy_part(files, part)
            self.next_offset = max(self.next_offset, part.next_offset)
        files.sync_folder(self.folder)

    def _copy_part(self, files: Files, part: Part) -> Generator[int, None, None]:
        source = files.open(join(self.log.folder, part.name))
        target = files.open(join(self.folder, part.name))
        end = source.size if part.size_bytes == WHOLE else part.size_bytes
        try:
            if not end:
                target.truncate(0)
            while target.size < end:
                data = source.pread(target.size, min(CHUNK_BYTES, end - target.size))
                if not data:
                    raise OSError(errno.EIO, "the file ends too early", source.path)
                target.append((data,), len(data))
                if part.size_bytes != WHOLE:
                    self.size_bytes += len(data)
                yield len(data)
            target.sync()
        finally:
            source.close()
            target.close()
        self._copied[part.name] = end

    def finish(self) -> None:
        """Copy what is left, and let the copy take over. On the event loop. Raises OSError.

        The log is flushed, and nothing is written to it any more. Until `is_decided` a failure
        leaves it as it was. Indexes that a full disk keeps from being written are made anew later.
        """
        files, source, target = self.source.files, self.source, self.target
        left_out: tuple[str, ...] = ()
        try:
            self.log.durability.finish()
        except StorageFailed:
            if self.log.failure is not None:
                raise
            left_out = (layout.OFFSET_INDEX, layout.TIME_INDEX)
        parts = self.parts(is_last=True)
        for _ in self.copy(files, [part for part in parts if not part.name.endswith(left_out)]):
            pass
        target.positions.take_over(self.partition, self.log, source.positions)
        self.is_decided = True
        depart(source, self.future)
        arrive(target, self.future)


def depart(source: DataDirectory, move: MovingFolder) -> None:
    """The decision."""
    source.files.replace(source.folder(move.partition), join(source.path, move.other.name))
    source.files.sync_folder(source.path)
    source.disown(move.partition)


def arrive(target: DataDirectory, move: MovingFolder) -> None:
    target.files.replace(join(target.path, move.name), target.folder(move.partition))
    target.files.sync_folder(target.path)
    target.own(move.partition)


def complete_moves(working: Sequence[DataDirectory], *, is_any_offline: bool) -> list[str]:
    """Bring to an end what the last run was at; returns what the operator is to know.

    While a directory is offline, that without a counterpart is left alone: it may be there.
    """
    told = []
    copies = {move: at for at in working for move in at.moving if move.is_future}
    decided = [(move, at) for at in working for move in at.moving if not move.is_future]
    for move, source in decided:
        target = copies.pop(move.other, None)
        old_folder = join(source.path, move.name)
        if target is not None:
            arrive(target, move.other)
        if any(move.partition in at.partitions for at in working):
            source.files.remove_folder(old_folder)
        elif not is_any_offline:
            source.files.replace(old_folder, source.folder(move.partition))
            source.own(move.partition)
            told.append(f"{move.partition} is back in {source.path}: where it went it is gone")
    for move, target in copies.items():
        if not is_any_offline:
            target.files.remove_folder(join(target.path, move.name))
            told.append(f"the move of {move.partition} to {target.path} had not ended; ask again")
    return told
