"""The slow part of compaction: reading a log's segments and writing their copies.

Everything here runs in a worker thread, on a door of its own and on what was decided before; each
function yields the bytes it has read and written, so that others get a turn and the disk a rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from godel.errors import CorruptBatch
from godel.records.batch import HEADER_SIZE, BatchHeader, check_crc, parse_header
from godel.storage import layout
from godel.storage.compaction import Round, Source
from godel.storage.files import File, Files, join
from godel.storage.log_config import LogConfig
from godel.storage.segment import Segment
from godel.storage.swap import copy_paths

READ_BYTES = 256 * 1024
BYTES_PER_TURN = 8 * 1024


def segment_path(folder: str, base_offset: int, suffix: str) -> str:
    return join(folder, layout.segment_file(base_offset, suffix))


def read_batches(file: File, size_bytes: int) -> Iterator[tuple[BatchHeader, memoryview]]:
    """The batches of a segment, each checked. Raises `CorruptBatch`, OSError."""
    position, chunk_start, chunk = 0, 0, memoryview(b"")
    while position < size_bytes:
        at = position - chunk_start
        if len(chunk) - at < min(HEADER_SIZE, size_bytes - position):
            chunk = memoryview(file.pread(position, min(READ_BYTES, size_bytes - position)))
            chunk_start, at = position, 0
        header = parse_header(chunk, at)
        length = header.size_bytes
        if position + length > size_bytes:
            raise CorruptBatch(f"{file.path} at {position}: the segment ends inside a batch")
        if at + length > len(chunk):
            wanted = max(length, min(READ_BYTES, size_bytes - position))
            chunk = memoryview(file.pread(position, wanted))
            chunk_start, at = position, 0
        batch = chunk[at : at + length]
        if not check_crc(batch, header):
            raise CorruptBatch(f"{file.path} at {position}: wrong CRC")
        yield header, batch
        position += length


def fill_keys(
    files: Files, folder: str, sources: Sequence[Source], this_round: Round
) -> Iterator[int]:
    """Read the dirty segments until the key map is full or all of them are in it."""
    for source in sources:
        if source.next_offset <= this_round.first_dirty_offset:
            continue
        file = files.open(segment_path(folder, source.base_offset, layout.LOG), source.size_bytes)
        unpaid_bytes = 0
        for header, batch in read_batches(file, source.size_bytes):
            yield from this_round.note_keys(header, batch)
            if this_round.keys.is_full:
                file.close()
                return
            unpaid_bytes += header.size_bytes
            if unpaid_bytes >= BYTES_PER_TURN:
                yield unpaid_bytes
                unpaid_bytes = 0
        file.close()
        this_round.end_offset = source.next_offset
        yield unpaid_bytes


def write_copy(
    files: Files, folder: str, group: Sequence[Source], *, this_round: Round, config: LogConfig
) -> Iterator[int]:
    """Write and sync `.cleaned` with what stays of a group of segments. Raises OSError."""
    remove_copy(files, folder, group[0].base_offset)
    copy = Segment(
        files,
        folder,
        group[0].base_offset,
        next_offset=group[0].base_offset,
        index_interval_bytes=config.index_interval_bytes,
        is_new=True,
        ending=layout.CLEANED,
    )
    try:
        for one in copy.files():
            one.truncate(0)
        for source in group:
            yield from _copy_one(files, folder, source, this_round, copy)
        for one in (*copy.data_files(), *copy.indexes.finish()):
            one.sync()
    finally:
        copy.close()


def _copy_one(
    files: Files, folder: str, source: Source, this_round: Round, copy: Segment
) -> Iterator[int]:
    file = files.open(segment_path(folder, source.base_offset, layout.LOG), source.size_bytes)
    unpaid_bytes = 0
    try:
        for header, batch in read_batches(file, source.size_bytes):
            kept = yield from this_round.clean(header, batch)
            unpaid_bytes += header.size_bytes
            if kept is not None:
                size_bytes = len(kept)
                if copy.size_bytes + size_bytes > layout.MAX_SEGMENT_BYTES:
                    raise CorruptBatch(f"{copy.file.path} would be larger than a segment may be")
                max_timestamp = parse_header(kept).max_timestamp
                copy.append((kept,), size_bytes, header.last_offset, max_timestamp)
                unpaid_bytes += size_bytes
            while this_round.transactions.kept:
                copy.add_aborted(this_round.transactions.kept.pop())
            if unpaid_bytes >= BYTES_PER_TURN:
                yield unpaid_bytes
                unpaid_bytes = 0
    finally:
        file.close()
    yield unpaid_bytes


def remove_copy(files: Files, folder: str, base_offset: int) -> None:
    """Remove what an earlier attempt has left. Raises OSError."""
    for path in copy_paths(folder, base_offset, layout.CLEANED):
        if files.exists(path):
            files.remove(path)
