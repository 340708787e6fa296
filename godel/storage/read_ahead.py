"""Bytes of a real file are brought into memory ahead of their reader, where the system can."""

from __future__ import annotations

import contextlib
import os

_PROBED = (bytearray(1),)


def bring_in(descriptor: int, position: int, size_bytes: int) -> None:
    """Ask for what is not in memory, and do not wait for it. Other systems than Linux: nothing."""
    if not hasattr(os, "RWF_NOWAIT"):
        return
    try:
        # For 2 MiB in memory the advice costs 32 µs, this look at the last byte of it 1 µs.
        os.preadv(descriptor, _PROBED, position + size_bytes - 1, os.RWF_NOWAIT)
    except OSError:  # it is not in memory; what else is wrong the reading will tell
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, position, size_bytes, os.POSIX_FADV_WILLNEED)
