"""The two files that say whose a data directory is: our `godel.json`, Kafka's `meta.properties`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from godel.storage import layout
from godel.storage.checkpoint_file import write_atomically
from godel.storage.files import Files, join
from godel.storage.partition_metadata import id_text, parse_id

FORMAT_VERSION = 1


class UnusableMark(Exception):
    """A file says what no broker of this release can go by. The message is for the operator."""


class Mark(NamedTuple):
    """What `godel.json` says."""

    cluster_id: str
    node_id: int
    known: Mapping[bytes, str]
    """All directories of the broker, path by id; only in the one that keeps the metadata."""


def damaged(path: str) -> UnusableMark:
    return UnusableMark(
        f"{path} is damaged; restore it from a backup, its partitions are untouched"
    )


def read_mark(files: Files, directory: str) -> Mark:
    """Raises `UnusableMark`, OSError."""
    path = join(directory, layout.GODEL_JSON)
    try:
        found = json.loads(files.read(path))
        version, node_id = found["format_version"], found["node_id"]
        known = {parse_id(id): str(at) for id, at in found.get("directories", {}).items()}
        mark = Mark(found["cluster_id"], node_id, known)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise damaged(path) from None
    if type(version) is not int or type(node_id) is not int or not isinstance(mark.cluster_id, str):
        raise damaged(path)
    if version > FORMAT_VERSION:
        raise UnusableMark(
            f"{directory} was written in format {version}, this release reads up to "
            f"{FORMAT_VERSION}; start the newer release of Gödel on it"
        )
    return mark


def write_mark(files: Files, directory: str, mark: Mark) -> None:
    """Raises OSError."""
    written: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "cluster_id": mark.cluster_id,
        "node_id": mark.node_id,
    }
    if mark.known:
        written["directories"] = {id_text(id): path for id, path in mark.known.items()}
    text = json.dumps(written, indent=2) + "\n"
    write_atomically(files, join(directory, layout.GODEL_JSON), text.encode())


def directory_id(files: Files, directory: str, mark: Mark, new: Callable[[], bytes]) -> bytes:
    """The id in `meta.properties`; where there is no such file yet, a `new` one is written.

    A crash may have come between the two files. Raises `UnusableMark`, OSError.
    """
    path = join(directory, layout.META_PROPERTIES)
    if not files.exists(path):
        fresh = new()
        text = (
            f"version=1\ncluster.id={mark.cluster_id}\nnode.id={mark.node_id}\n"
            f"directory.id={id_text(fresh)}\n"
        )
        write_atomically(files, path, text.encode())
        return fresh
    lines = files.read(path).decode(errors="replace").splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    expected = (mark.cluster_id, str(mark.node_id))
    if (values.get("cluster.id"), values.get("node.id")) != expected:
        raise damaged(path)
    try:
        return parse_id(values.get("directory.id", ""))
    except ValueError:
        raise damaged(path) from None
