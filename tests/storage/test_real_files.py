"""Files of the operating system: few descriptors, and what a real disk refuses."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from godel.storage.files import join
from godel.storage.real_files import RealFiles


def test_real_files_stay_within_their_descriptors(tmp_path: Path) -> None:
    files = RealFiles(max_open=3)
    opened = [files.open(join(str(tmp_path), str(number))) for number in range(10)]
    for _ in range(2):
        for file in opened:
            file.append((b"x",), 1)
            assert files.open_count <= 3
    assert all(file.pread(0, 9) == b"xx" for file in opened)
    for file in opened[:5]:
        file.pin()
    assert files.open_count == 5
    for file in opened[5:]:
        file.append((b"x",), 1)
    opened[0].close()
    opened[0].sync()
    for file in opened[:5]:
        file.unpin()
    for file in opened:
        file.close()
    assert files.open_count == 0


def test_a_full_real_disk_takes_nothing() -> None:
    file = RealFiles().open("/dev/full")
    with pytest.raises(OSError, match="No space left") as failure:
        file.append((b"abc",), 3)
    assert failure.value.errno == errno.ENOSPC
    assert file.size == 0
    file.close()


def test_a_short_write_is_taken_back(tmp_path: Path) -> None:
    file = RealFiles().open(join(str(tmp_path), "short"))
    file.append((b"0123456789",), 10)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            file.append((b"abc", b"defghi"), 9)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.size == 10
    assert (tmp_path / "short").read_bytes() == b"0123456789"
    file.close()
