"""The only door to the file system.

Everything in `storage/` takes a `Files`: the operating system's (`real_files.py`), one in memory
(`memory_files.py`), or a disk that fails (`faulty_files.py`). Paths are text with "/" between the
parts. A `File` is named for as long as its owner lives; the descriptor under it is opened on
first use. One thread uses a door; only `File.sync` of a pinned file, `Files.sync_folder`, `remove`,
`remove_folder` and `finish_background` may be called from another one.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from godel.types import Buffer, Piece


class File(Protocol):
    """A file that grows at its end. Created when it is first opened for an append."""

    path: str
    size: int

    def append(self, buffers: Sequence[Buffer], size_bytes: int) -> None:
        """Write `buffers` (`size_bytes` in all) at the end: all of it, or OSError.

        After an error the file is cut back to where it was, at the latest before the next append.
        """
        ...

    def pread(self, position: int, size_bytes: int) -> bytes:
        """The bytes at `position`; fewer only at the end of the file."""
        ...

    def unread(self, position: int, size_bytes: int) -> Piece:
        """Many bytes, all of which the file has, for somebody who takes them one after another."""
        ...

    def will_need(self, position: int, size_bytes: int) -> None:
        """Have the system bring in what the file has there, if it does, and do not wait for it.

        For the bytes after those just read. It says nothing, whatever goes wrong.
        """
        ...

    def sync(self) -> None:
        """Return when everything appended so far survives a power cut."""
        ...

    def truncate(self, size_bytes: int) -> None: ...

    def pin(self) -> None:
        """Keep the descriptor until `unpin`, whatever `close` or the limit of open files say."""
        ...

    def unpin(self) -> None: ...

    def close(self) -> None:
        """Let the descriptor go. The file may be used again: it is opened anew."""
        ...


class Space(NamedTuple):
    """Of a whole volume; -1: there is no bound that could be told."""

    total_bytes: int
    usable_bytes: int


UNKNOWN_SPACE = Space(-1, -1)


def is_full(error: BaseException) -> bool:
    """Whether this, or what caused it, is no more than a lack of space, which may end."""
    return _errno(error) in (errno.ENOSPC, errno.EDQUOT)


def lacks_descriptors(error: BaseException) -> bool:
    """Whether this, or what caused it, is only that too many files are open: no disk has failed."""
    return _errno(error) in (errno.EMFILE, errno.ENFILE)


def _errno(error: BaseException) -> int | None:
    cause = error if isinstance(error, OSError) else error.__cause__
    return cause.errno if isinstance(cause, OSError) else None


class FileLock(Protocol):
    """Held while it is open; the operating system lets go of it when the process dies."""

    def close(self) -> None: ...


class Files(Protocol):
    """A file system, as much of it as a log needs. Everything raises OSError."""

    is_inline: bool
    """`sync` costs nothing: no worker thread is worth its while."""

    def another(self) -> Files:
        """A door to the same files for use in one other thread."""
        ...

    def open(self, path: str, size_bytes: int | None = None) -> File:
        """Name a file; `size_bytes` spares asking the file system for what is known already."""
        ...

    def read(self, path: str) -> bytes: ...

    def size(self, path: str) -> int: ...

    def modified_ms(self, path: str) -> int: ...

    def exists(self, path: str) -> bool: ...

    def list_files(self, folder: str) -> list[str]: ...

    def list_folders(self, folder: str) -> list[str]: ...

    def make_folder(self, folder: str) -> None:
        """Create a folder and what is missing above it; an existing one is fine."""
        ...

    def replace(self, source: str, target: str) -> None:
        """Rename a file or folder within its folder; a file takes the place of another one."""
        ...

    def remove(self, path: str) -> None: ...

    def remove_folder(self, folder: str) -> None:
        """Remove a folder and everything in it."""
        ...

    def in_background(self, work: Callable[[], object]) -> None:
        """Call something that takes a file system long and raises nothing, in another thread.

        Removing a gigabyte takes a quarter of a second. Files in memory call it at once.
        """
        ...

    def finish_background(self) -> None:
        """Return when all that was given to `in_background` is done. It may take as long."""
        ...

    def sync_folder(self, folder: str) -> None:
        """Return when creations, renames and removals in `folder` survive a power cut."""
        ...

    def write_back(self, path: str) -> None:
        """Have all that is unwritten of the volume that `path` is on written, in one go.

        It promises nothing, and says nothing: many syncs that follow have little left to do, and
        they tell of failures.
        """
        ...

    def space(self, path: str) -> Space:
        """Of the volume that `path` is on."""
        ...

    def absolute(self, path: str) -> str:
        """The path as others may use it, wherever they stand."""
        ...

    def lock(self, path: str) -> FileLock:
        """Lock a file against every other lock of it; BlockingIOError when it is held."""
        ...

    def lock_out_kafka(self, path: str) -> FileLock:
        """Lock an existing file against a JVM's lock of it; BlockingIOError when one holds it."""
        ...

    def copy(self, source: str, target: str, on_copied: Callable[[int], object]) -> None:
        """Copy a file as it is now, durably but for the name; `on_copied` hears of the bytes.

        The source needs to be readable only. What `target` held before is gone.
        """
        ...


def join(*parts: str) -> str:
    return "/".join(parts)


def parent(path: str) -> str:
    head, _, _ = path.rpartition("/")
    return head or ("/" if path.startswith("/") else ".")
