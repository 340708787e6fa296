"""Whose a data directory is, and which others its broker has."""

from __future__ import annotations

from typing import NamedTuple

from godel.storage import layout
from godel.storage.data_directory import DataDirectoryError
from godel.storage.directory_marks import Mark, UnusableMark, read_mark
from godel.storage.files import Files, join


class Identity(NamedTuple):
    """Whose a directory is."""

    cluster_id: str
    node_id: int


def mark_of(files: Files, path: str) -> Mark:
    """What the directory says. Raises `DataDirectoryError`, OSError."""
    if not files.exists(join(path, layout.GODEL_JSON)):
        raise DataDirectoryError(f"{path} is not a data directory of Gödel")
    try:
        return read_mark(files, path)
    except UnusableMark as failure:
        raise DataDirectoryError(str(failure)) from failure


def identity_of(files: Files, path: str) -> Identity:
    """Raises `DataDirectoryError`, OSError."""
    mark = mark_of(files, path)
    return Identity(mark.cluster_id, mark.node_id)


def data_paths(files: Files, path: str) -> list[str]:
    """The directory that has the metadata, and all others of the broker: they are noted there."""
    known = mark_of(files, path).known.values()
    return [path, *(one for one in known if one != files.absolute(path))]
