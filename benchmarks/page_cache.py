"""What the system keeps of files in memory, and how to have it forget that."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def forget_cached(paths: Iterable[Path]) -> None:
    """Have the system forget what it has of the files, once it is on the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
