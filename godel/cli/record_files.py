"""Files of a topic's records: JSON lines, or batches as they are in the log.

JSON lines are what `consume --output json` writes. A file of batches is

    "godel batches 1\\n" | a line of JSON: the topic and its number of partitions
    frames: partition int32 | first int64 | a batch with its header, as brokers store it
    the end: -1 int32 | number of records int64 | CRC-32C of all bytes before it uint32

where records of a batch before the offset `first` do not count. A file without its end was cut off,
also where its last frame is whole; of JSON lines only half a line shows that: an end among them
would be one more record to jq, to `wc -l` and to whatever else reads a record per line, and their
records can be counted. Every entry says which partition and offsets it has, so a file is all that
is needed to go on with it: `survey` tells how far each partition is, and where what follows the
last whole entry begins, be it the end.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from godel.cli.exits import Refused
from godel.cli.progress import Progress
from godel.cli.record_input import MAX_LINE_BYTES
from godel.cli.record_text import json_line, of_object
from godel.client.fetching import StoredBatch
from godel.errors import CorruptBatch
from godel.records.batch import HEADER_SIZE, BatchHeader, check_crc, iterate_records, parse_header
from godel.records.builder import NewRecord
from godel.records.crc import crc32c

MAGIC = b"godel batches 1\n"
FRAME = struct.Struct(">iq")
END = struct.Struct(">iqI")
NO_PARTITION = -1
MAX_BATCH_BYTES = 256 * 1024 * 1024
MAX_HEADING_BYTES = 64 * 1024


class Form(StrEnum):
    """What a file holds."""

    JSON = "json"
    BATCHES = "batches"


class Entry(NamedTuple):
    """A line, or a batch."""

    topic: str
    partition: int
    records: list[tuple[int, NewRecord]]
    """With their offsets."""


@dataclass(slots=True)
class Survey:
    """What is in a file."""

    form: Form
    topic: str | None = None
    """None: nothing is in it."""
    partitions: int = 0
    """How many the topic has, as far as the file tells."""
    end: int = 0
    """The position behind the last whole entry."""
    is_cut: bool = False
    """Something follows that is no whole entry, or nothing where batches have their end."""
    crc: int = 0
    """CRC-32C of a file of batches up to `end`."""
    counts: dict[int, int] = field(default_factory=dict)
    """Records by partition."""
    positions: dict[int, int] = field(default_factory=dict)
    """The next offset by partition."""
    newest_ms: int = -1

    @property
    def records(self) -> int:
        return sum(self.counts.values())

    def add(self, entry: Entry, end: int) -> None:
        number = entry.partition
        self.end = end
        self.topic = entry.topic
        self.partitions = max(self.partitions, number + 1)
        self.counts[number] = self.counts.get(number, 0) + len(entry.records)
        for offset, record in entry.records:
            self.positions[number] = offset + 1
            self.newest_ms = max(self.newest_ms, record.timestamp_ms or -1)


class CutOff(Exception):
    """The file ends within an entry."""


class Malformed(Exception):
    """An entry that is none."""


# -- writing --------------------------------------------------------------------------------------


def heading(form: Form, topic: str, partitions: int) -> bytes:
    """What a new file begins with."""
    if form is Form.JSON:
        return b""
    return MAGIC + json.dumps({"topic": topic, "partitions": partitions}).encode() + b"\n"


def written(form: Form, batch: StoredBatch) -> tuple[int, bytes]:
    """How many records of a batch count, and what is written of it: of none, nothing.

    Compaction leaves batches that reach beyond their last record, or have none at all.
    """
    if form is Form.JSON:
        lines = [json_line(batch.partition, record) for record in batch.records()]
        return len(lines), b"".join(lines)
    batch.check()
    count, first = batch.header.records_count, batch.header.base_offset
    if batch.first > first:  # the rest of a batch
        count, first = sum(1 for _ in batch.records()), batch.first
    if not count:
        return 0, b""
    return count, FRAME.pack(batch.partition.partition, first) + bytes(batch.batch)


def end_mark(form: Form, records: int, crc: int) -> bytes:
    """What a file ends with that is whole: it has so many records, and `crc` up to here."""
    return END.pack(NO_PARTITION, records, crc) if form is Form.BATCHES else b""


# -- reading --------------------------------------------------------------------------------------


def survey(path: Path, shown: Progress) -> Survey:
    """Read and check a whole file. Raises `Refused` where it is no file of one topic's records."""
    with path.open("rb") as file:
        found = Survey(Form.JSON)
        try:
            found = _begun(file)
            for entry in _entries(file, found):
                if found.topic not in (None, entry.topic):
                    raise Malformed(f"two topics, {found.topic} and {entry.topic}")
                found.add(entry, file.tell())
                shown.update(found.records, found.end)
        except CutOff:
            found.is_cut = True
        except (Malformed, CorruptBatch) as error:
            raise Refused(f"{path}, after {found.records:,} records: {error}") from None
    return found


def is_beginning(path: Path, form: Form) -> bool:
    """Whether a file without a whole entry can have been cut off while it was written."""
    expected = MAGIC if form is Form.BATCHES else b'{"topic": '
    with path.open("rb") as file:
        head = file.read(len(expected))
    return expected.startswith(head)


def entries(path: Path) -> Iterator[Entry]:
    """The entries of a file that was surveyed."""
    with path.open("rb") as file:
        yield from _entries(file, _begun(file))


def _begun(file: BinaryIO) -> Survey:
    """The form of a file and what its heading says; `file` stands behind that."""
    if file.read(len(MAGIC)) != MAGIC:
        file.seek(0)
        return Survey(Form.JSON)
    line = _line(file, MAX_HEADING_BYTES)
    if not line:
        raise CutOff
    try:
        said = json.loads(line)
        topic, partitions = str(said["topic"]), int(said["partitions"])
    except (ValueError, LookupError, TypeError):
        raise Malformed("a heading that is none") from None
    return Survey(Form.BATCHES, topic, partitions, file.tell(), crc=crc32c(MAGIC + line))


def _entries(file: BinaryIO, found: Survey) -> Iterator[Entry]:
    """Raises `CutOff`, `Malformed` and `CorruptBatch`."""
    if found.form is Form.BATCHES:
        yield from _batches(file, found)
    else:
        yield from _lines(file)


def _lines(file: BinaryIO) -> Iterator[Entry]:
    while line := _line(file, MAX_LINE_BYTES):
        try:
            read: Any = json.loads(line)
            record, partition = of_object(read)
        except ValueError as error:
            raise Malformed(str(error)) from None
        topic, offset = read.get("topic"), read.get("offset")
        if not isinstance(topic, str) or not isinstance(offset, int) or partition is None:
            raise Malformed("a line without topic, partition or offset")
        yield Entry(topic, partition, [(offset, record)])


def _line(file: BinaryIO, limit: int) -> bytes:
    line = file.readline(limit)
    if line and not line.endswith(b"\n"):
        if len(line) == limit:
            raise Malformed(f"a line of more than {limit} bytes")
        raise CutOff
    return line


def _batches(file: BinaryIO, found: Survey) -> Iterator[Entry]:
    """Keeps the CRC of `found` up to date."""
    count = 0
    while head := file.read(FRAME.size + HEADER_SIZE):
        if len(head) < END.size:
            raise CutOff
        partition, first = FRAME.unpack_from(head)
        if partition == NO_PARTITION:
            _check_end(head, count, found.crc)
            return
        if len(head) < FRAME.size + HEADER_SIZE:
            raise CutOff
        header = parse_header(head, FRAME.size)
        if partition < 0 or header.size_bytes > MAX_BATCH_BYTES:
            raise Malformed("a batch that is none")
        rest = file.read(header.size_bytes - HEADER_SIZE)
        if HEADER_SIZE + len(rest) < header.size_bytes:
            raise CutOff
        records = list(_records(head[FRAME.size :] + rest, header, first))
        found.crc = crc32c(rest, crc32c(head, found.crc))
        count += len(records)
        yield Entry(found.topic or "", partition, records)
    raise CutOff


def _check_end(end: bytes, count: int, crc: int) -> None:
    _, expected, expected_crc = END.unpack_from(end)
    if len(end) > END.size:
        raise Malformed("something follows the end")
    if (count, crc) != (expected, expected_crc):
        raise Malformed(f"the end tells of {expected:,} records, and these are not they (CRC)")


def _records(batch: bytes, header: BatchHeader, first: int) -> Iterator[tuple[int, NewRecord]]:
    if not check_crc(batch, header):
        raise CorruptBatch(f"the batch of offset {header.base_offset} has a wrong CRC")
    for record in iterate_records(batch):
        if record.offset >= first:
            made = NewRecord(record.key, record.value, record.headers, record.timestamp)
            yield record.offset, made
