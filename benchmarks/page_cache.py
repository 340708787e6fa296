"""What the system keeps of files in memory: have it forget that, or fill all memory with it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 20
MEMINFO = Path("/proc/meminfo")


def forget_cached(paths: Iterable[Path]) -> None:
    """Have the system forget what it has of the files, once it is on the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def fill_memory(file: BinaryIO) -> None:
    """Make free memory into cached pages of this file, all holes, which the system takes back.

    That is how the memory of a machine looks that is up for a while. A virtual machine may have
    given free memory back to its host, which then hands it out again a page at a time: 3 s of CPU
    for each GiB here, ten times what writing it costs otherwise, paid by the broker that happens
    to be first. Call it again, with the same file, for what was freed meanwhile.
    """
    start = file.seek(0, os.SEEK_END)
    end = start + free_bytes()
    file.truncate(end)
    for position in range(start, end, BLOCK):
        os.pread(file.fileno(), BLOCK, position)


def free_bytes() -> int:
    """Memory that nothing uses, not even the page cache (Linux; elsewhere 0)."""
    if not MEMINFO.exists():
        return 0
    figures = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
    return int(figures["MemFree"].split()[0]) * 1024
