"""How the descriptors that this process may have are shared out.

Where they run out, a file that cannot be opened looks like a disk that fails. So files have theirs,
and connections end where others would want.
"""

from __future__ import annotations

from contextlib import suppress

MOST_FOR_FILES = 4096
FEWEST_FOR_FILES = 16
OTHERS = 128
"""For the metadata, for threads with files of their own, and for connections to be refused: the
system lets them in first. Of few an eighth."""

UNBOUNDED = 2**31 - 1


def for_files() -> int:
    """How many files of partitions may be open."""
    return max(min(_allowed() // 2, MOST_FOR_FILES), FEWEST_FOR_FILES)


def for_connections() -> int:
    """How many clients may be connected."""
    allowed = _allowed()
    return max(allowed - for_files() - min(OTHERS, allowed // 8), 1)


def _allowed() -> int:
    try:
        import resource  # here, because it is not on every system
    except ImportError:
        return UNBOUNDED
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNBOUNDED if allowed == resource.RLIM_INFINITY else allowed


def allow_more() -> None:
    """Take as many as the process may ask for, as Java does: mostly it begins with few."""
    try:
        import resource  # as above
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS has a bound of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
