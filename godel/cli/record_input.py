"""Where `produce` takes records from: lines of standard input and of files, plain or JSON."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio

from godel.cli.exits import Refused, Status
from godel.cli.record_text import of_object
from godel.records.builder import NewRecord

CHUNK_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LineFormat:
    """What a line becomes."""

    key: bytes | None = None
    key_separator: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp_ms: int | None = None
    tombstone: bool = False
    """An empty value is none: it deletes its key from a compacted topic."""
    json: bool = False

    def record(self, line: bytes, number: int) -> tuple[NewRecord, int | None]:
        """A record, and the partition that it asks for itself."""
        if self.json:
            try:
                record, partition = of_object(json.loads(line))
            except ValueError as error:
                raise Refused(f"line {number}: {error}", status=Status.FAILED) from None
            headers = [*record.headers, *self.headers]
            return record._replace(headers=headers), partition
        key, value = self.key, line
        if self.key_separator is not None:
            before, separator, after = line.partition(self.key_separator)
            if separator:
                key, value = before, after
        empty = self.tombstone and not value
        return NewRecord(key, None if empty else value, self.headers, self.timestamp_ms), None


async def lines(stream: BinaryIO) -> AsyncIterator[list[bytes]]:
    """Lines without their ends, as many at a time as have come; an empty list when all is read.

    So what comes slowly is passed on as it comes, and what comes fast by the chunk.
    """
    rest = b""
    while chunk := await _chunk(stream):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise Refused(f"a line is longer than {MAX_LINE_BYTES} bytes")
        yield [line.removesuffix(b"\r") for line in whole]
    if rest:
        yield [rest.removesuffix(b"\r")]


async def _chunk(stream: BinaryIO) -> bytes:
    """Some bytes. Waiting for a pipe or a terminal lets everything else go on, Ctrl-C too."""
    try:
        descriptor = stream.fileno()
    except OSError:  # no file at all, in tests
        return stream.read(CHUNK_BYTES)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(descriptor):
        await anyio.wait_readable(descriptor)
    return os.read(descriptor, CHUNK_BYTES)


def open_input(name: str) -> BinaryIO:
    """A file, or standard input for `-`."""
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}", status=Status.NOT_FOUND) from None
