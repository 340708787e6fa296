from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from godel.storage.faulty_files import FaultyFiles
from godel.storage.files import UNKNOWN_SPACE, Files, RealFiles, join, parent
from godel.storage.memory_files import MemoryFiles


@pytest.fixture(params=["real", "memory", "faulty"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Files, str]:
    match request.param:
        case "real":
            return RealFiles(), str(tmp_path)
        case "memory":
            files: Files = MemoryFiles()
        case _:
            files = FaultyFiles()
    files.make_folder("/disk")
    return files, "/disk"


def test_append_read_truncate(door: tuple[Files, str]) -> None:
    files, folder = door
    file = files.open(join(folder, "a"))
    assert file.size == 0
    file.append((b"one", memoryview(b"-two")), 7)
    file.append((b"!",), 1)
    assert file.size == 8
    assert file.pread(0, 100) == b"one-two!"
    assert file.pread(4, 3) == b"two"
    assert file.pread(8, 5) == b""
    file.sync()
    file.truncate(3)
    file.append((b"+",), 1)
    assert file.pread(0, 9) == b"one+"
    file.close()
    assert file.pread(0, 9) == b"one+"
    assert files.open(join(folder, "a")).size == 4
    assert files.read(join(folder, "a")) == b"one+"
    file.truncate(6)
    assert files.read(join(folder, "a")) == b"one+\0\0"


def test_folders_renames_and_removals(door: tuple[Files, str]) -> None:
    files, folder = door
    files.make_folder(join(folder, "x", "y"))
    files.make_folder(join(folder, "x", "y"))
    for name in ("a", "b"):
        file = files.open(join(folder, "x", name))
        file.append((name.encode(),), 1)
        file.close()
    assert sorted(files.list_files(join(folder, "x"))) == ["a", "b"]
    assert files.list_folders(join(folder, "x")) == ["y"]
    files.replace(join(folder, "x", "a"), join(folder, "x", "b"))
    files.sync_folder(join(folder, "x"))
    assert files.list_files(join(folder, "x")) == ["b"]
    assert files.read(join(folder, "x", "b")) == b"a"
    assert files.size(join(folder, "x", "b")) == 1
    files.modified_ms(join(folder, "x", "b"))
    files.remove(join(folder, "x", "b"))
    assert not files.exists(join(folder, "x", "b"))
    files.remove_folder(join(folder, "x"))
    assert not files.exists(join(folder, "x"))


def test_what_is_missing_says_so(door: tuple[Files, str]) -> None:
    files, folder = door
    for action in (files.read, files.size, files.remove, files.list_files, files.remove_folder):
        with pytest.raises(FileNotFoundError):
            action(join(folder, "missing"))
    with pytest.raises(FileNotFoundError):
        files.open(join(folder, "missing")).pread(0, 1)
    with pytest.raises(FileNotFoundError):
        files.replace(join(folder, "missing"), join(folder, "other"))


def test_a_lock_is_held_once(door: tuple[Files, str]) -> None:
    files, folder = door
    lock = files.lock(join(folder, ".lock"))
    with pytest.raises(BlockingIOError):
        files.lock(join(folder, ".lock"))
    lock.close()
    files.lock(join(folder, ".lock")).close()


def test_parent() -> None:
    assert [parent(path) for path in ("/a/b", "/a", "a/b", "a")] == ["/a", "/", "a", "."]


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


def test_the_volume(door: tuple[Files, str]) -> None:
    files, folder = door
    space = files.space(folder)
    if isinstance(files, RealFiles):
        assert 0 < space.usable_bytes <= space.total_bytes
        assert files.absolute("there").startswith("/")
    else:
        assert space == UNKNOWN_SPACE
    assert files.absolute(folder) == folder
    with pytest.raises(FileNotFoundError):
        files.space(join(folder, "no", "folder"))


def test_writing_back_says_nothing(door: tuple[Files, str]) -> None:
    files, folder = door
    files.write_back(folder)
    files.write_back(join(folder, "no", "folder"))


def test_asking_for_bytes_ahead_says_nothing(door: tuple[Files, str]) -> None:
    files, folder = door
    file = files.open(join(folder, "a"), 0)
    file.will_need(0, 10)
    file.append((b"abc",), 3)
    for position, size_bytes in ((0, 3), (1, 1 << 30), (3, 10), (1 << 40, 1)):
        file.will_need(position, size_bytes)
    assert file.pread(0, 10) == b"abc"
    file.truncate(0)
    file.will_need(0, 3)
    file.close()
    file.will_need(0, 3)


def test_a_copy_is_what_the_file_is_now(door: tuple[Files, str]) -> None:
    files, folder = door
    source, target = f"{folder}/source", f"{folder}/target"
    for path, data in ((source, b"a" * 3000), (target, b"what was there before" * 300)):
        file = files.open(path)
        file.append((data,), len(data))
        file.close()
    heard: list[int] = []
    files.copy(source, target, heard.append)
    assert files.read(target) == files.read(source) == b"a" * 3000
    assert sum(heard) == 3000
    with pytest.raises(FileNotFoundError):
        files.copy(f"{folder}/none", target, heard.append)


def test_kafkas_lock_is_of_a_file_that_is_there(door: tuple[Files, str]) -> None:
    files, folder = door
    with pytest.raises(FileNotFoundError):
        files.lock_out_kafka(f"{folder}/.lock")
    files.open(f"{folder}/.lock").sync()
    files.lock_out_kafka(f"{folder}/.lock").close()
