"""What is brought in ahead is not asked of the disk again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from godel.storage.read_ahead import bring_in

ACCOUNT = Path("/proc/self/io")
SIZE = 4 << 20


def asked_of_disks_bytes() -> int:
    """By this process so far, whether or not it has arrived."""
    figures = dict(line.split(": ") for line in ACCOUNT.read_text().splitlines())
    return int(figures["read_bytes"])


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    """Of a file that is not in memory, unless its file system is."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    opened = os.open(path, os.O_RDONLY)
    os.fsync(opened)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    return opened


@pytest.mark.skipif(not ACCOUNT.exists(), reason="the system does not tell")
def test_a_reader_finds_what_was_brought_in(descriptor: int) -> None:
    bring_in(descriptor, SIZE // 4, SIZE // 2)
    before = asked_of_disks_bytes()
    assert len(os.pread(descriptor, SIZE // 2, SIZE // 4)) == SIZE // 2
    bring_in(descriptor, SIZE // 4, SIZE // 2)
    assert asked_of_disks_bytes() == before
    os.close(descriptor)


def test_a_refusal_is_not_told(descriptor: int) -> None:
    os.close(descriptor)
    bring_in(descriptor, 0, SIZE)
