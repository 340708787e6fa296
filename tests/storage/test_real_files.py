"""Files of the operating system: few descriptors, and what a real disk refuses."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from godel.storage.files import join
from godel.storage.real_files import RealFiles
from godel.types import Unread, in_memory


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


def test_readers_who_take_their_time_hold_half_of_the_descriptors_at_most(tmp_path: Path) -> None:
    files = RealFiles(max_open=4)
    opened = [files.open(join(str(tmp_path), str(number))) for number in range(5)]
    for file in opened:
        file.append((b"abc",), 3)
    pieces = [file.unread(0, 3) for file in opened]
    assert [isinstance(piece, Unread) for piece in pieces] == [True, True, False, False, False]
    assert isinstance(opened[0].unread(0, 3), Unread), "it shares a descriptor that is held already"
    assert [in_memory(piece) for piece in pieces] == [b"abc"] * 5
    assert isinstance(opened[4].unread(0, 3), Unread)
    assert files.pinned_count == 0


def test_the_last_reader_of_a_removed_file_does_not_wait_until_it_is_off_the_disk(
    tmp_path: Path,
) -> None:
    asked: list[Callable[[], object]] = []

    class Waiting(RealFiles):
        def in_background(self, work: Callable[[], object]) -> None:
            asked.append(work)

    open_before = len(os.listdir("/dev/fd"))
    files = Waiting()
    file = files.open(join(str(tmp_path), "a"))
    file.append((b"abc",), 3)
    piece = file.unread(0, 3)
    file.close()
    files.remove(file.path)
    assert in_memory(piece) == b"abc"
    assert files.open_count == 0
    (close,) = asked
    close()
    assert len(os.listdir("/dev/fd")) == open_before
