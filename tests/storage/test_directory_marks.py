from __future__ import annotations

import json

import pytest

from godel.storage.directory_marks import Mark, UnusableMark, directory_id, read_mark, write_mark
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import put

MARK = Mark("cluster", 3, {bytes(range(16)): "/a", bytes(range(16, 32)): "/b"})


def with_folder() -> MemoryFiles:
    files = MemoryFiles()
    files.make_folder("data")
    return files


@pytest.mark.parametrize("mark", [MARK, MARK._replace(known={})])
def test_a_mark_comes_back_as_it_was_written(mark: Mark) -> None:
    files = with_folder()
    write_mark(files, "data", mark)
    assert read_mark(files, "data") == mark


@pytest.mark.parametrize("known", [[], {"short": "/a"}, "x"])
def test_a_damaged_list_of_directories(known: object) -> None:
    files = with_folder()
    marker = {"format_version": 1, "cluster_id": "c", "node_id": 1, "directories": known}
    put(files, "data/godel.json", json.dumps(marker).encode())
    with pytest.raises(UnusableMark, match=r"data/godel\.json is damaged"):
        read_mark(files, "data")


def test_an_id_is_kept_once_it_is_written() -> None:
    files = with_folder()
    first = directory_id(files, "data", MARK, lambda: bytes(range(16)))
    assert first == bytes(range(16))
    assert directory_id(files, "data", MARK, lambda: bytes(range(16, 32))) == first
    with pytest.raises(UnusableMark, match=r"meta\.properties is damaged"):
        directory_id(files, "data", MARK._replace(node_id=4), lambda: bytes(16))
