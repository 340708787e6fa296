"""A file of no use but its size: given up when a broker starts on a full disk.

The metadata want some space at a start after a crash, and the client that is to delete records or
topics needs a broker that has started.
"""

from __future__ import annotations

from contextlib import closing, suppress

from godel.storage import layout
from godel.storage.files import Files, join

RESERVE_BYTES = 1 << 20
PLENTY_BYTES = 64 * RESERVE_BYTES
"""A disk with less is left alone."""


def give_up_reserve(files: Files, folder: str) -> bool:
    """Remove it if the disk is full; True: it was there and is gone. Raises OSError."""
    path = join(folder, layout.RESERVE)
    if not files.exists(path) or files.space(folder).usable_bytes >= RESERVE_BYTES:
        return False
    files.remove(path)
    return True


def keep_reserve(files: Files, folder: str) -> None:
    """Make it if it is not there and there is plenty of space; what fails here does no harm."""
    path = join(folder, layout.RESERVE)
    with suppress(OSError):
        is_there = files.exists(path) and files.size(path) == RESERVE_BYTES
        if not is_there and files.space(folder).usable_bytes >= PLENTY_BYTES:
            with closing(files.open(path, 0)) as file:
                file.truncate(0)
                file.append((bytes(RESERVE_BYTES),), RESERVE_BYTES)
                file.sync()
