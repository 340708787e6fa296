"""Kafka's text checkpoints: a version line, a count line, and one line per entry.

They are written to a temporary file that takes the old one's place, so that a crash leaves either
the old or the new one (Kafka's `CheckpointFile`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from godel.storage import layout
from godel.storage.files import Files, parent
from godel.types import TopicPartition

VERSION = "0"


class LogEnd(NamedTuple):
    """Where a log ended at a moment when all of it was durable."""

    offset: int
    base_offset: int
    """Of its last segment."""

    size_bytes: int
    """Of that one."""


class DamagedCheckpoint(Exception):
    """A checkpoint file that is not one. The message names the file and says why."""


def write_atomically(files: Files, path: str, data: bytes) -> None:
    """Put `data` in the place of a file, durably, or leave the file as it was."""
    write_whole(files, path, data)
    files.sync_folder(parent(path))


def write_whole(files: Files, path: str, data: bytes) -> None:
    """Put `data` in the place of a file; a power cut may bring the old one back until the folder
    is synced.

    The bytes are synced before they get the name, so whoever finds the name finds all of them.
    """
    file = files.open(path + layout.TEMPORARY)
    file.truncate(0)
    try:
        file.append((data,), len(data))
        file.sync()
    finally:
        file.close()
    files.replace(path + layout.TEMPORARY, path)


def write_lines(files: Files, path: str, lines: Iterable[str]) -> None:
    """Write a checkpoint of these lines."""
    entries = list(lines)
    text = "\n".join([VERSION, str(len(entries)), *entries]) + "\n"
    write_atomically(files, path, text.encode())


def read_lines(files: Files, path: str) -> list[str]:
    """The lines of a checkpoint; none when there is no such file."""
    try:
        data = files.read(path)
    except FileNotFoundError:
        return []
    try:
        version, count, *entries = data.decode().splitlines()
        is_whole = version == VERSION and int(count) == len(entries)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise DamagedCheckpoint(f"{path} is not a whole checkpoint of version {VERSION}")
    return entries


def write_offsets(files: Files, path: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Write one offset per partition."""
    write_lines(
        files,
        path,
        (
            f"{partition.topic} {partition.partition} {offset}"
            for partition, offset in sorted(offsets.items())
        ),
    )


def read_offsets(files: Files, path: str) -> dict[TopicPartition, int]:
    """One offset per partition. Raises `DamagedCheckpoint`."""
    return {partition: offset for partition, (offset,) in _read_numbers(files, path, 1)}


def write_ends(files: Files, path: str, ends: Mapping[TopicPartition, LogEnd]) -> None:
    """Write where each log ends."""
    write_lines(
        files,
        path,
        (
            f"{partition.topic} {partition.partition} {end.offset} {end.base_offset} "
            f"{end.size_bytes}"
            for partition, end in sorted(ends.items())
        ),
    )


def read_ends(files: Files, path: str) -> dict[TopicPartition, LogEnd]:
    """Where each log ends. Raises `DamagedCheckpoint`."""
    return {partition: LogEnd(*numbers) for partition, numbers in _read_numbers(files, path, 3)}


def _read_numbers(
    files: Files, path: str, count: int
) -> Iterator[tuple[TopicPartition, list[int]]]:
    """The partition of each line and so many numbers behind it."""
    for line in read_lines(files, path):
        topic, _, rest = line.partition(" ")
        try:
            partition, *numbers = map(int, rest.split(" "))
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise DamagedCheckpoint(f"{path} has the line {line[:80]!r}")
        yield TopicPartition(topic, partition), numbers
