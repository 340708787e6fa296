"""Whose a data directory is, and which others belong to it."""

from __future__ import annotations

import pytest

from godel.operations.broker_directories import Identity, data_paths, identity_of
from godel.storage.data_directory import DataDirectoryError
from godel.storage.directory_marks import Mark, write_mark
from godel.storage.memory_files import MemoryFiles
from tests.storage.harness import put


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


def test_the_others_are_noted_beside_the_metadata(files: MemoryFiles) -> None:
    files.make_folder("d")
    write_mark(files, "d", Mark("c", 7, {bytes(16): "d", bytes(15) + b"\x01": "/other"}))
    assert identity_of(files, "d") == Identity("c", 7)
    assert data_paths(files, "d") == ["d", "/other"]


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        (b"?", "d/godel.json is damaged"),
        (b'{"format_version": 1, "cluster_id": "c"}', "d/godel.json is damaged"),
        (b'{"format_version": 2, "cluster_id": "c", "node_id": 1}', "d was written in format 2"),
    ],
)
def test_whose_a_directory_is_must_be_readable(files: MemoryFiles, mark: bytes, told: str) -> None:
    files.make_folder("d")
    put(files, "d/godel.json", mark)
    with pytest.raises(DataDirectoryError, match=told):
        identity_of(files, "d")
