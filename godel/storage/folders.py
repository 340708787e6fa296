"""Folders: those of a data directory told by their names, how much one holds, making one."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field

from godel.storage import layout
from godel.storage.files import Files, join, parent
from godel.storage.layout import MovingFolder
from godel.types import TopicPartition


@dataclass(slots=True)
class Folders:
    """The folders of one directory, by their kind."""

    partitions: set[TopicPartition] = field(default_factory=set)
    moving: list[MovingFolder] = field(default_factory=list)
    """Of partitions that were on their way to or from here when the last run ended."""
    deleted: list[str] = field(default_factory=list)
    """Of topics that were deleted, and that there was no time to remove."""
    strays: list[str] = field(default_factory=list)
    """Set aside by an earlier start."""
    strangers: list[str] = field(default_factory=list)


def sorted_folders(names: Iterable[str]) -> Folders:
    """Sort the folders of a data directory by what they are."""
    found = Folders()
    for name in names:
        partition = layout.parse_partition_folder(name)
        moving = layout.parse_moving_folder(name)
        if partition is not None:
            found.partitions.add(partition)
        elif moving is not None:
            found.moving.append(moving)
        elif layout.is_deleted_folder(name):
            found.deleted.append(name)
        elif layout.is_stray_folder(name):
            found.strays.append(name)
        else:
            found.strangers.append(name)
    return found


def batches_size(files: Files, folder: str) -> int:
    """What the segments in a partition's folder hold; 0 without one. Raises OSError."""
    try:
        names = files.list_files(folder)
    except FileNotFoundError:
        return 0
    found = ((name, layout.parse_segment_file(name)) for name in names)
    return sum(
        files.size(join(folder, name))
        for name, parsed in found
        if parsed is not None and parsed[1] == layout.LOG
    )


def make_durable_folder(files: Files, folder: str) -> None:
    """Make a folder and what is missing above it so that a power cut leaves them. Raises OSError.

    One that is there is fine.
    """
    missing = []
    above = folder
    while not files.exists(above):
        missing.append(above)
        above = parent(above)
    if missing:
        files.make_folder(folder)
    for made in reversed(missing):
        files.sync_folder(parent(made))


def sync_segments(files: Files, folder: str) -> None:
    """Have all files of a partition's segments on disk. Raises OSError."""
    for name in files.list_files(folder):
        if layout.parse_segment_file(name) is not None:
            with closing(files.open(join(folder, name))) as file:
                file.sync()
    files.sync_folder(folder)
