"""The door to the operating system's files, with a bound on descriptors.

`RealFiles` keeps at most `max_open` of them (second chance), so ten thousand partitions do not mean
thirty thousand.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence

from godel import descriptors
from godel.storage.background import Background
from godel.storage.files import Space
from godel.storage.read_ahead import bring_in
from godel.storage.unread import UnreadRange
from godel.types import Buffer, Piece

COPY_BYTES = 1 << 20

if hasattr(os, "fdatasync"):
    _sync_data = os.fdatasync
else:  # macOS
    _sync_data = os.fsync


class RealFile:
    """A file on the disk; its owner appends, `RealFiles` may close the descriptor in between."""

    __slots__ = (
        "_descriptor",
        "_files",
        "_is_closing",
        "_is_torn",
        "_pins",
        "is_recent",
        "path",
        "size",
    )

    def __init__(self, files: RealFiles, path: str, size_bytes: int) -> None:
        self._files = files
        self._descriptor = -1
        self._pins = 0
        self._is_closing = False
        self._is_torn = False  # bytes of a failed append may stand behind `size`
        self.is_recent = False
        self.path = path
        self.size = size_bytes

    def append(self, buffers: Sequence[Buffer], size_bytes: int) -> None:
        descriptor = self._descriptor
        if descriptor < 0:
            descriptor = self._open(os.O_CREAT)
        self.is_recent = True
        if self._is_torn:
            self._cut_back(descriptor)
        try:
            written = os.writev(descriptor, buffers)
            if written != size_bytes:
                self._append_rest(b"".join(buffers), written)
        except OSError:
            self._is_torn = True
            with contextlib.suppress(OSError):
                self._cut_back(descriptor)
            raise
        self.size += size_bytes

    def _cut_back(self, descriptor: int) -> None:
        os.ftruncate(descriptor, self.size)
        self._is_torn = False

    def _append_rest(self, data: bytes, written: int) -> None:
        """The operating system took less than all of it: go on until it is done or says why."""
        view = memoryview(data)
        while written < len(view):
            count = os.write(self._descriptor, view[written:])
            if count == 0:
                raise OSError(errno.EIO, "the disk takes no more bytes", self.path)
            written += count

    def pread(self, position: int, size_bytes: int) -> bytes:
        descriptor = self._descriptor
        if descriptor < 0:
            descriptor = self._open(0)
        self.is_recent = True
        data = os.pread(descriptor, size_bytes, position)
        if len(data) == size_bytes or not data:
            return data
        return self._pread_rest(descriptor, position, size_bytes, data)

    def unread(self, position: int, size_bytes: int) -> Piece:
        if not self._pins and self._files.are_many_pinned:
            return self.pread(position, size_bytes)
        return UnreadRange(self, position, size_bytes)

    def will_need(self, position: int, size_bytes: int) -> None:
        size_bytes = min(size_bytes, self.size - position)
        if size_bytes > 0 and self._descriptor >= 0:
            bring_in(self._descriptor, position, size_bytes)

    @staticmethod
    def _pread_rest(descriptor: int, position: int, size_bytes: int, data: bytes) -> bytes:
        while len(data) < size_bytes:
            more = os.pread(descriptor, size_bytes - len(data), position + len(data))
            if not more:
                break
            data += more
        return data

    def sync(self) -> None:
        if self._descriptor < 0:
            self._open(os.O_CREAT)
        _sync_data(self._descriptor)

    def truncate(self, size_bytes: int) -> None:
        if self._descriptor < 0:
            self._open(os.O_CREAT)
        os.ftruncate(self._descriptor, size_bytes)
        self.size = size_bytes

    def pin(self) -> None:
        if self._descriptor < 0:
            self._open(os.O_CREAT)
        if not self._pins:
            self._files.pinned_count += 1
        self._pins += 1

    def unpin(self) -> None:
        self._pins -= 1
        if self._pins:
            return
        self._files.pinned_count -= 1
        if self._is_closing:
            self._is_closing = False
            self._files.forget(self)
            descriptor, self._descriptor = self._descriptor, -1
            # The file may have been removed meanwhile: then this takes as long as removing it.
            self._files.in_background(lambda: os.close(descriptor))

    def close(self) -> None:
        if self._pins:
            self._is_closing = True
        elif self._descriptor >= 0:
            self._files.forget(self)
            self.release()

    def release(self) -> None:
        """Close the descriptor. For `RealFiles`."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    @property
    def is_pinned(self) -> bool:
        return self._pins > 0

    def _open(self, flags: int) -> int:
        self._files.make_room()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o644)
        self._files.remember(self)
        return self._descriptor


_syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
"""Of Linux; `os.sync` would wait for every volume of the machine."""


class RealLock:
    """An flock on a file."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RealFiles:
    """The operating system's file system, with at most `max_open` descriptors for files."""

    is_inline = False

    def __init__(
        self, max_open: int | None = None, *, background: Background | None = None
    ) -> None:
        """Without `max_open` half of what the process may have: the rest is for connections."""
        self._max_open = max_open or descriptors.for_files()
        self._open_files: OrderedDict[RealFile, None] = OrderedDict()
        """The one first that was opened or looked at first."""
        self.pinned_count = 0
        self._background = background or Background()

    @property
    def are_many_pinned(self) -> bool:
        """Whether half of the descriptors cannot be closed: the other half is for other files."""
        return self.pinned_count >= self._max_open // 2

    @property
    def open_count(self) -> int:
        return len(self._open_files)

    def make_room(self) -> None:
        """Close what was not used for longest, roughly; pinned files stay."""
        for _ in range(2 * len(self._open_files)):
            if len(self._open_files) < self._max_open:
                return
            file, _ = self._open_files.popitem(last=False)
            if file.is_recent or file.is_pinned:
                file.is_recent = False
                self._open_files[file] = None
            else:
                file.release()

    def remember(self, file: RealFile) -> None:
        self._open_files[file] = None

    def forget(self, file: RealFile) -> None:
        self._open_files.pop(file, None)

    def another(self) -> RealFiles:
        return RealFiles(descriptors.FEWEST_FOR_FILES, background=self._background)

    def open(self, path: str, size_bytes: int | None = None) -> RealFile:
        if size_bytes is None:
            try:
                size_bytes = os.stat(path).st_size
            except FileNotFoundError:
                size_bytes = 0
        return RealFile(self, path, size_bytes)

    def read(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def size(self, path: str) -> int:
        return os.stat(path).st_size

    def modified_ms(self, path: str) -> int:
        return os.stat(path).st_mtime_ns // 1_000_000

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def list_files(self, folder: str) -> list[str]:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file()]

    def list_folders(self, folder: str) -> list[str]:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir()]

    def make_folder(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)

    def replace(self, source: str, target: str) -> None:
        os.replace(source, target)

    def remove(self, path: str) -> None:
        os.remove(path)

    def remove_folder(self, folder: str) -> None:
        with os.scandir(folder) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_folder in found:
            if is_folder:
                self.remove_folder(path)
            else:
                os.remove(path)
        os.rmdir(folder)

    def in_background(self, work: Callable[[], object]) -> None:
        self._background.add(work)

    def finish_background(self) -> None:
        self._background.finish()

    def sync_folder(self, folder: str) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def write_back(self, path: str) -> None:
        if _syncfs is None:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _syncfs(descriptor)
            finally:
                os.close(descriptor)

    def space(self, path: str) -> Space:
        found = os.statvfs(path)
        return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def absolute(self, path: str) -> str:
        return os.path.abspath(path)

    def lock(self, path: str) -> RealLock:
        import fcntl  # here, because it is not on every system and nothing else needs it

        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return RealLock(descriptor)

    def lock_out_kafka(self, path: str) -> RealLock:
        import fcntl  # as above

        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as failure:
            os.close(descriptor)
            raise BlockingIOError(failure.errno, "locked", path) from failure
        return RealLock(descriptor)

    def copy(self, source: str, target: str, on_copied: Callable[[int], object]) -> None:
        with open(source, "rb", buffering=0) as given, open(target, "wb", buffering=0) as made:
            while data := given.read(COPY_BYTES):
                view = memoryview(data)
                while view:
                    view = view[made.write(view) or 0 :]
                on_copied(len(data))
            os.fsync(made.fileno())
