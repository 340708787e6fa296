from __future__ import annotations

import pytest

from godel.storage.memory_files import MemoryFiles


def test_an_open_file_survives_its_name() -> None:
    files = MemoryFiles()
    file = files.open("f")
    file.append((b"ab",), 2)
    files.replace("f", "g")
    file.append((b"cd",), 2)
    assert files.read("g") == b"abcd"
    files.remove("g")
    assert file.pread(1, 2) == b"bc"
    file.close()
    with pytest.raises(FileNotFoundError):
        file.pread(0, 1)


def test_folders_and_files_are_not_mixed_up() -> None:
    files = MemoryFiles()
    files.make_folder("d/e")
    files.file_node("f", create=True)
    with pytest.raises(IsADirectoryError):
        files.read("d")
    with pytest.raises(NotADirectoryError):
        files.list_files("f")
    with pytest.raises(FileExistsError):
        files.make_folder("f/g")
    files.make_folder("x")
    with pytest.raises(OSError, match="not empty"):
        files.replace("x", "d")
    with pytest.raises(OSError, match="one folder"):
        files.replace("f", "d/f")
