from __future__ import annotations

from pathlib import Path

import pytest

from godel.storage.faulty_files import FaultyFiles
from godel.storage.files import UNKNOWN_SPACE, Files, join, parent
from godel.storage.memory_files import MemoryFiles
from godel.storage.real_files import RealFiles


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
