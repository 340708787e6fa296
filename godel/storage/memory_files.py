"""The door to files in memory: a tree of folders, for tests and the embedded broker.

A sync costs nothing and means nothing here; what a power cut would take is the business of
`faulty_files.py`, which builds on this tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from godel.storage.files import UNKNOWN_SPACE, Space
from godel.types import Buffer


class FileNode:
    """What a directory entry points at: the bytes of one file."""

    __slots__ = ("data", "is_locked")

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_locked = False


class FolderNode:
    """A folder's entries by name."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[str, FileNode | FolderNode] = {}


class MemoryFile:
    """A named file; like a real one it goes on working on its bytes after a rename or removal."""

    __slots__ = ("_files", "_node", "path", "size")

    def __init__(self, files: MemoryFiles, path: str, size_bytes: int) -> None:
        self._files: MemoryFiles = files
        self._node: FileNode | None = None
        self.path = path
        self.size = size_bytes

    def append(self, buffers: Sequence[Buffer], size_bytes: int) -> None:
        node = self._node or self._open(create=True)
        for buffer in buffers:
            node.data += buffer
        self.size += size_bytes

    def pread(self, position: int, size_bytes: int) -> bytes:
        node = self._node or self._open(create=False)
        with memoryview(node.data) as view:
            return bytes(view[position : position + size_bytes])

    def unread(self, position: int, size_bytes: int) -> bytes:
        return self.pread(position, size_bytes)

    def will_need(self, position: int, size_bytes: int) -> None:
        pass

    def sync(self) -> None:
        if self._node is None:
            self._open(create=True)

    def truncate(self, size_bytes: int) -> None:
        node = self._node or self._open(create=True)
        del node.data[size_bytes:]
        node.data.extend(bytes(size_bytes - len(node.data)))
        self.size = size_bytes

    def pin(self) -> None:
        if self._node is None:
            self._open(create=True)

    def unpin(self) -> None:
        pass

    def close(self) -> None:
        self._node = None

    def _open(self, *, create: bool) -> FileNode:
        self._node = self._files.file_node(self.path, create=create)
        return self._node


class MemoryLock:
    __slots__ = ("_node",)

    def __init__(self, node: FileNode) -> None:
        self._node = node

    def close(self) -> None:
        self._node.is_locked = False


class MemoryFiles:
    """A file system in memory. Starts with nothing but the root and the current folder "."."""

    is_inline = True

    def __init__(self) -> None:
        self._root = FolderNode()

    def another(self) -> MemoryFiles:
        return self

    def open(self, path: str, size_bytes: int | None = None) -> MemoryFile:
        if size_bytes is None:
            node = self._find(path)
            size_bytes = len(node.data) if isinstance(node, FileNode) else 0
        return MemoryFile(self, path, size_bytes)

    def read(self, path: str) -> bytes:
        return bytes(self.file_node(path, create=False).data)

    def size(self, path: str) -> int:
        return len(self.file_node(path, create=False).data)

    def modified_ms(self, path: str) -> int:
        self.file_node(path, create=False)
        return 0

    def exists(self, path: str) -> bool:
        return self._find(path) is not None

    def list_files(self, folder: str) -> list[str]:
        entries = self.folder_node(folder).entries
        return [name for name, node in entries.items() if isinstance(node, FileNode)]

    def list_folders(self, folder: str) -> list[str]:
        entries = self.folder_node(folder).entries
        return [name for name, node in entries.items() if isinstance(node, FolderNode)]

    def make_folder(self, folder: str) -> None:
        node = self._root
        for part in _parts(folder):
            child = node.entries.get(part)
            if child is None:
                child = self.new_folder_node()
                self.link(node, part, child)
            elif isinstance(child, FileNode):
                raise FileExistsError(17, "a file has this name", folder)
            node = child

    def replace(self, source: str, target: str) -> None:
        source_folder, source_name = self._locate(source)
        target_folder, target_name = self._locate(target)
        if source_folder is not target_folder:
            raise OSError(18, "renames stay in one folder", target)
        if source_name not in source_folder.entries:
            raise FileNotFoundError(2, "no such file", source)
        existing = target_folder.entries.get(target_name)
        if isinstance(existing, FolderNode) and existing.entries:
            raise OSError(39, "folder not empty", target)
        self.move(source_folder, source_name, target_name)

    def remove(self, path: str) -> None:
        folder, name = self._locate(path)
        if not isinstance(folder.entries.get(name), FileNode):
            raise FileNotFoundError(2, "no such file", path)
        self.unlink(folder, name)

    def remove_folder(self, folder: str) -> None:
        node = self.folder_node(folder)
        for name, child in tuple(node.entries.items()):
            if isinstance(child, FolderNode):
                self.remove_folder(f"{folder}/{name}")
            else:
                self.unlink(node, name)
        above, name = self._locate(folder)
        self.unlink(above, name)

    def in_background(self, work: Callable[[], object]) -> None:
        work()

    def finish_background(self) -> None:
        pass

    def sync_folder(self, folder: str) -> None:
        self.folder_node(folder)

    def write_back(self, path: str) -> None:
        pass

    def space(self, path: str) -> Space:
        self._locate(path)
        return UNKNOWN_SPACE

    def absolute(self, path: str) -> str:
        return path

    def lock(self, path: str) -> MemoryLock:
        node = self.file_node(path, create=True)
        if node.is_locked:
            raise BlockingIOError(11, "locked", path)
        node.is_locked = True
        return MemoryLock(node)

    def lock_out_kafka(self, path: str) -> MemoryLock:
        self.file_node(path, create=False)
        return self.lock(path)

    def copy(self, source: str, target: str, on_copied: Callable[[int], object]) -> None:
        data = self.read(source)
        file = self.open(target)
        file.truncate(0)
        file.append((data,), len(data))
        file.sync()
        file.close()
        on_copied(len(data))

    # What `FaultyFiles` watches: the three ways in which a folder changes.

    def link(self, folder: FolderNode, name: str, node: FileNode | FolderNode) -> None:
        folder.entries[name] = node

    def unlink(self, folder: FolderNode, name: str) -> None:
        del folder.entries[name]

    def move(self, folder: FolderNode, source: str, target: str) -> None:
        folder.entries[target] = folder.entries.pop(source)

    def new_file_node(self) -> FileNode:
        return FileNode()

    def new_folder_node(self) -> FolderNode:
        return FolderNode()

    def file_node(self, path: str, *, create: bool) -> FileNode:
        folder, name = self._locate(path)
        node = folder.entries.get(name)
        if node is None and create:
            node = self.new_file_node()
            self.link(folder, name, node)
        if node is None:
            raise FileNotFoundError(2, "no such file", path)
        if isinstance(node, FolderNode):
            raise IsADirectoryError(21, "is a folder", path)
        return node

    def folder_node(self, path: str) -> FolderNode:
        node = self._find(path)
        if node is None:
            raise FileNotFoundError(2, "no such folder", path)
        if isinstance(node, FileNode):
            raise NotADirectoryError(20, "is not a folder", path)
        return node

    def _find(self, path: str) -> FileNode | FolderNode | None:
        node: FileNode | FolderNode | None = self._root
        for part in _parts(path):
            if not isinstance(node, FolderNode):
                return None
            node = node.entries.get(part)
        return node

    def _locate(self, path: str) -> tuple[FolderNode, str]:
        head, _, name = path.rpartition("/")
        return self.folder_node(head), name


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
