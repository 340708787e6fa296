"""The door to a disk that fails: files in memory that remember what was synced.

Every operation has a number and may be made to fail (`faults`) or to be the last one before a power
cut (`crash_at`). `after_crash` is the disk as the next start finds it. For tests, ours and those of
the broker's users.

What is promised is what POSIX promises, which is less than ext4 keeps with data=ordered: the bytes
that a file had when it was synced, the names that a folder had when it was synced. Of the rest a
power cut leaves any subset, in any order:

- a write is there, lost, or torn at any byte; the file may have its new size all the same, with
  zeros or garbage where the bytes are missing, also in front of bytes that are there
- a file was cut off, or not, whatever became of the writes after it
- names made, renamed and removed since the last sync of the folder, or not; only what happens to
  one name keeps its order, and a rename is all or nothing
- names do not wait for the bytes of their files, nor folders and files for one another;
  a folder that was being removed may be left in part

What a file's failed sync had to bring over is lost, as with Linux: it is read as long as the power
is on, and later syncs of the file, though they succeed, do not have it.

Not modelled: bytes that were synced and change all the same (bit flips are a matter of `CRC`s),
garbage that looks like a batch (blocks of a deleted file that come to light), a disk that lies
about a sync, and a sync that takes time: what is written while it runs counts as not covered by it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from godel.clock import Randomness
from godel.storage.memory_files import FileNode, FolderNode, MemoryFile, MemoryFiles
from godel.types import Buffer


class Kind(Enum):
    """What is done to the disk."""

    READ = "read"
    APPEND = "append"
    TRUNCATE = "truncate"
    SYNC = "sync"
    SYNC_FOLDER = "sync folder"
    LINK = "link"
    UNLINK = "unlink"
    RENAME = "rename"


class Operation(NamedTuple):
    """`number` counts from 1; reads are not counted and have the number of what came before."""

    number: int
    kind: Kind
    path: str


class Fault(NamedTuple):
    """An error for an operation. An append may leave bytes behind; the next one cuts them off."""

    error: int
    written_bytes: int = 0


class PowerCut(Exception):
    """The machine is off: raised by the operation `crash_at` and by all after it."""


Faults = Callable[[Operation], Fault | None]


ODDS = (0, 0, 1, 2, 4, 6, 7, 8)
"""In eighths: how likely a change is lost. All, none and nearly all or none have to come often."""


class PowerLoss:
    """What becomes of the unsynced: one draw from all that a power cut may leave."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._lost_names, self._lost_writes, self._torn_writes = (
            ODDS[randomness.below(len(ODDS))] for _ in range(3)
        )

    def takes_name(self) -> bool:
        return self._randomness.below(8) < self._lost_names

    def takes_cut(self) -> bool:
        """Whether a file stays as long as it was before it was cut off."""
        return self._randomness.below(8) < self._lost_writes

    def rest_of(self, written: bytes) -> bytes:
        """What is found where `written` was written; a file grows by no more than that."""
        if self._randomness.below(8) < self._lost_writes:
            return b""
        if not written or self._randomness.below(8) >= self._torn_writes:
            return written
        torn_at = self._randomness.below(len(written))
        missing = len(written) - torn_at
        shapes: tuple[Callable[[], bytes], ...] = (
            lambda: written[:torn_at],
            lambda: written[:torn_at] + bytes(missing),
            lambda: written[:torn_at] + self._garbage(missing),
            lambda: bytes(torn_at) + written[torn_at:],
        )
        return shapes[self._randomness.below(len(shapes))]()

    def _garbage(self, size_bytes: int) -> bytes:
        return (self._randomness.uuid_bytes() * (size_bytes // 16 + 1))[:size_bytes]


class FaultyNode(FileNode):
    """A file's bytes, those that are durable, and the changes since in order."""

    __slots__ = ("changes", "dropped", "durable")

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.data += data
        self.durable = data
        self.changes: list[tuple[int, bytes | None]] = []
        """Position and bytes of a write; None instead of bytes: cut off there."""
        self.dropped: list[tuple[int, int]] = []
        """From where to where the kernel has what never reaches the disk: its sync has failed."""

    def drop_changes(self) -> None:
        """As Linux does after a failed sync: no later one, however successful, brings them over."""
        self.dropped += [(at, at + len(data)) for at, data in self.changes if data]
        self.changes.clear()

    def synced(self) -> bytes:
        """What a sync leaves on the disk."""
        if not self.dropped:
            return bytes(self.data)
        data = bytearray(self.data)
        for at, end in self.dropped:
            data[at:end] = bytes(end - at)
        return bytes(data)

    def after_crash(self, loss: PowerLoss | None) -> FaultyNode:
        """Without `loss` nothing that was not synced remains."""
        if loss is None or not self.changes:
            return FaultyNode(self.durable)
        data = bytearray(self.durable)
        for position, written in self.changes:
            if written is None:
                if not loss.takes_cut():
                    del data[position:]
            elif rest := loss.rest_of(written):
                data.extend(bytes(max(position - len(data), 0)))
                data[position : position + len(rest)] = rest
        return FaultyNode(bytes(data))


class NameChange(NamedTuple):
    """What was done to a folder. `target`: the new name of what was renamed."""

    kind: Kind
    name: str
    target: str
    node: FileNode | FolderNode


class FaultyFolder(FolderNode):
    """A folder's entries, those that are durable, and the changes since in order."""

    __slots__ = ("changes", "durable")

    def __init__(self) -> None:
        super().__init__()
        self.durable: dict[str, FileNode | FolderNode] = {}
        self.changes: list[NameChange] = []

    def after_crash(self, loss: PowerLoss | None) -> FaultyFolder:
        folder = FaultyFolder()
        for name, node in self._names_after_crash(loss).items():
            assert isinstance(node, FaultyNode | FaultyFolder)
            folder.entries[name] = node.after_crash(loss)
        folder.durable = dict(folder.entries)
        return folder

    def _names_after_crash(self, loss: PowerLoss | None) -> dict[str, FileNode | FolderNode]:
        entries = dict(self.durable)
        lost: set[str] = set()
        for kind, name, target, node in self.changes if loss is not None else ():
            assert loss is not None
            if name in lost or target in lost or loss.takes_name():
                lost |= {name, target} if kind is Kind.RENAME else {name}
            elif kind is Kind.LINK:
                entries[name] = node
            elif kind is Kind.UNLINK:
                del entries[name]
            else:
                entries[target] = entries.pop(name)
        return entries


class FaultyFile(MemoryFile):
    """A file of `FaultyFiles`."""

    __slots__ = ()

    _files: FaultyFiles

    def append(self, buffers: Sequence[Buffer], size_bytes: int) -> None:
        node = self._faulty_node()
        data = b"".join(buffers)
        assert len(data) == size_bytes
        if len(node.data) > self.size:
            self.truncate(self.size)
        position = len(node.data)
        fault = self._files.step(Kind.APPEND, self.path)
        if fault is not None:
            left = data[: fault.written_bytes]
            node.data += left
            node.changes.append((position, left))
            raise OSError(fault.error, "injected", self.path)
        node.changes.append((position, data))
        super().append((data,), size_bytes)

    def pread(self, position: int, size_bytes: int) -> bytes:
        self._files.check(Kind.READ, self.path)
        return super().pread(position, size_bytes)

    def sync(self) -> None:
        node = self._faulty_node()
        try:
            self._files.check(Kind.SYNC, self.path)
        except OSError:
            node.drop_changes()
            raise
        node.durable = node.synced()
        node.changes.clear()

    def truncate(self, size_bytes: int) -> None:
        node = self._faulty_node()
        self._files.check(Kind.TRUNCATE, self.path)
        node.dropped = [(at, min(end, size_bytes)) for at, end in node.dropped if at < size_bytes]
        grown = bytes(max(size_bytes - len(node.data), 0))
        node.changes.append((len(node.data), grown) if grown else (size_bytes, None))
        super().truncate(size_bytes)

    def _faulty_node(self) -> FaultyNode:
        node = self._node or self._open(create=True)
        assert isinstance(node, FaultyNode)
        return node


class FaultyFiles(MemoryFiles):
    """A disk that may fail at any operation and forgets what was not synced."""

    def __init__(self, *, faults: Faults | None = None, crash_at: int | None = None) -> None:
        super().__init__()
        self._root = FaultyFolder()
        self.faults = faults
        self.crash_at = crash_at
        self.operations = 0

    def after_crash(self, randomness: Randomness | None = None) -> FaultyFiles:
        """The disk after a power cut now. Without `randomness` all that is unsynced is gone."""
        disk = FaultyFiles()
        assert isinstance(self._root, FaultyFolder)
        disk._root = self._root.after_crash(PowerLoss(randomness) if randomness else None)
        return disk

    def fail(self, is_hit: Callable[[Operation], bool], *, error: int = errno.EIO) -> None:
        """Let every operation that `is_hit` picks fail from now on."""
        self.faults = lambda operation: Fault(error) if is_hit(operation) else None

    def release_locks(self) -> None:
        """What the operating system does for a process that was killed."""
        folders: list[FolderNode] = [self._root]
        while folders:
            for node in folders.pop().entries.values():
                if isinstance(node, FolderNode):
                    folders.append(node)
                else:
                    node.is_locked = False

    def step(self, kind: Kind, path: str) -> Fault | None:
        """Count an operation; what is to happen to it."""
        if kind is not Kind.READ:
            self.operations += 1
        if self.crash_at is not None and self.operations >= self.crash_at:
            raise PowerCut(f"before operation {self.operations}, {kind.value} {path}")
        if self.faults is None:
            return None
        return self.faults(Operation(self.operations, kind, path))

    def check(self, kind: Kind, path: str) -> None:
        fault = self.step(kind, path)
        if fault is not None:
            raise OSError(fault.error, "injected", path)

    def open(self, path: str, size_bytes: int | None = None) -> FaultyFile:
        if size_bytes is None:
            size_bytes = self.size(path) if self.exists(path) else 0
        return FaultyFile(self, path, size_bytes)

    def read(self, path: str) -> bytes:
        self.check(Kind.READ, path)
        return super().read(path)

    def sync_folder(self, folder: str) -> None:
        node = self.folder_node(folder)
        assert isinstance(node, FaultyFolder)
        self.check(Kind.SYNC_FOLDER, folder)
        node.durable = dict(node.entries)
        node.changes.clear()

    def link(self, folder: FolderNode, name: str, node: FileNode | FolderNode) -> None:
        assert isinstance(folder, FaultyFolder)
        self.check(Kind.LINK, name)
        folder.changes.append(NameChange(Kind.LINK, name, "", node))
        super().link(folder, name, node)

    def unlink(self, folder: FolderNode, name: str) -> None:
        assert isinstance(folder, FaultyFolder)
        self.check(Kind.UNLINK, name)
        folder.changes.append(NameChange(Kind.UNLINK, name, "", folder.entries[name]))
        super().unlink(folder, name)

    def move(self, folder: FolderNode, source: str, target: str) -> None:
        assert isinstance(folder, FaultyFolder)
        self.check(Kind.RENAME, source)
        folder.changes.append(NameChange(Kind.RENAME, source, target, folder.entries[source]))
        super().move(folder, source, target)

    def new_file_node(self) -> FaultyNode:
        return FaultyNode()

    def new_folder_node(self) -> FaultyFolder:
        return FaultyFolder()
