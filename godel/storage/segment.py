"""A segment: one `.log` file of batches, back to back, and the indexes into it.

The file is the truth; the indexes (`segment_indexes.py`) are made from it. Beside them stands a
small memory of boundaries served lately, so that a reader who comes back for what follows is there
without a search. Source: Kafka's `LogSegment`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from godel.errors import CorruptBatch
from godel.records.batch import HEADER_SIZE, LENGTH_PREFIX_SIZE, MAGIC
from godel.records.partition_log import EMPTY_SLICE, LogSlice
from godel.records.transactions import AbortedTransaction
from godel.storage import layout
from godel.storage.batch_walk import HEAD, WalkedBatch, corrupt, walk
from godel.storage.files import File, Files, join
from godel.storage.log_config import LogConfig
from godel.storage.offset_index import OffsetIndex
from godel.storage.segment_indexes import NO_TIMESTAMP, SegmentIndexes
from godel.storage.time_index import TimeIndex
from godel.storage.transaction_index import TransactionIndex
from godel.types import Buffer, Piece

MAX_BOUNDARIES = 64
UNREAD_FROM_BYTES = 1024 * 1024
"""What is longer than this, which is what clients ask for by default, is read when it is sent."""

_LENGTH = struct.Struct(">i")
_OFFSET = struct.Struct(">q")


class Segment:
    """One segment of a `Log`, which owns it. Only the last one of a log is appended to."""

    __slots__ = (
        "_boundaries",
        "_files",
        "base_offset",
        "created_ms",
        "file",
        "first_timestamp",
        "indexes",
        "next_offset",
        "transactions",
    )

    def __init__(
        self,
        files: Files,
        folder: str,
        base_offset: int,
        *,
        next_offset: int,
        index_interval_bytes: int,
        is_new: bool = False,
        created_ms: int = 0,
        ending: str = "",
    ) -> None:
        path = join(folder, layout.segment_file(base_offset, layout.LOG) + ending)
        self._files = files
        self.base_offset = base_offset
        self.next_offset = next_offset
        self.created_ms = created_ms
        self.file: File = files.open(path, 0 if is_new else None)
        self.indexes = SegmentIndexes(
            files, self.file, base_offset, interval_bytes=index_interval_bytes
        )
        self.transactions: TransactionIndex | None = None
        """What its markers have aborted; None: nothing."""
        self.first_timestamp: int | None = None
        self._boundaries: dict[int, int] = {}
        if is_new or self.file.size == 0:
            self.indexes.start()

    def path(self, suffix: str) -> str:
        return layout.beside_log(self.file.path, suffix)

    def renamed(self, *, before: str, after: str) -> None:
        """The ending of its files has changed."""
        for file in self.files():
            file.path = file.path.removesuffix(before) + after

    @property
    def size_bytes(self) -> int:
        return self.file.size

    # Appending

    def append(
        self, buffers: Sequence[Buffer], size_bytes: int, last_offset: int, max_timestamp: int
    ) -> None:
        """Write one batch at the end and note it in the indexes."""
        if not self.indexes.are_ready:
            self._resume()
        position = self.file.size
        self.file.append(buffers, size_bytes)
        self.indexes.note(position, size_bytes, last_offset, max_timestamp)
        self.next_offset = last_offset + 1
        if position == 0:
            self.first_timestamp = max_timestamp

    def _resume(self) -> None:
        """Get ready for the first append to a segment that an earlier run has left.

        Its end was taken on trust; the batches behind the last index entry must agree.
        """
        offset_index, _ = self.indexes.load(self.next_offset)
        self.indexes.largest_timestamp(self.next_offset)
        last_offset = self.next_offset - 1
        for batch in self.walk(offset_index.last_position):
            last_offset = batch.last_offset
        if last_offset + 1 > self.next_offset:
            raise self.corrupt(0, f"there are batches up to {last_offset}, not {self.next_offset}")

    def load_first_timestamp(self) -> int:
        """The timestamp that the age of the segment is counted from; -1: it is empty."""
        if self.first_timestamp is None:
            first = next(self.walk(), None)
            if first is None:
                return NO_TIMESTAMP
            self.first_timestamp = first.max_timestamp
        return self.first_timestamp

    def remember(self, offset: int, position: int) -> None:
        """A batch ends at `position`, and the next one has `offset`."""
        boundaries = self._boundaries
        if len(boundaries) >= MAX_BOUNDARIES and offset not in boundaries:
            del boundaries[next(iter(boundaries))]
        boundaries[offset] = position

    # Finding

    def walk(self, position: int = 0, end: int | None = None) -> Iterator[WalkedBatch]:
        """See `batch_walk.walk`."""
        return walk(self.file, position, end)

    def locate(self, offset: int) -> int:
        """The position of the first batch that ends at `offset` or later; the file's size: none."""
        if offset >= self.next_offset:
            return self.file.size
        if offset == self.base_offset:
            return 0
        position = self._boundaries.get(offset)
        if position is None:
            position = self._search(offset)
            if position is None:
                self.indexes.rebuild()
                position = self._search(offset)
            if position is None:
                raise self.corrupt(0, f"offset {offset} is not where the batches say")
            self.remember(offset, position)
        return position

    def _search(self, offset: int) -> int | None:
        """None when the index led astray."""
        start = self.offset_index.position_for(offset - self.base_offset)
        try:
            for batch in self.walk(start):
                if batch.last_offset >= offset:
                    is_plausible = (
                        batch.base_offset <= offset or batch.position > start or start == 0
                    )
                    return batch.position if is_plausible else None
        except CorruptBatch:
            if start == 0:
                raise
            return None
        return self.file.size

    # Reading

    def read(
        self, offset: int, max_bytes: int, *, upper_bound: int, at_least_one: bool
    ) -> LogSlice | None:
        """Whole batches from the first that ends at `offset` or later.

        Empty: the first one is larger than `max_bytes`. None: there is none in this segment.
        """
        start = self.locate(offset)
        limit = self.locate(upper_bound)
        if start >= limit:
            return None
        wanted = min(limit - start, max(max_bytes, HEADER_SIZE if at_least_one else 0))
        if wanted < HEADER_SIZE:
            return EMPTY_SLICE
        data = self._pread(start, wanted if wanted <= UNREAD_FROM_BYTES else HEADER_SIZE)
        first_bytes, next_offset = self._check_first(data, start, offset)
        size = first_bytes
        if first_bytes > wanted:
            if not at_least_one:
                return EMPTY_SLICE
            if start + first_bytes > limit:
                raise self.corrupt(start, f"a batch of {first_bytes} bytes crosses a boundary")
        elif start + wanted == limit:
            size, next_offset = wanted, min(upper_bound, self.next_offset)
        elif len(data) == wanted:
            size, next_offset = self._last_boundary(data, start, first_bytes)
        else:
            size, next_offset = self._walk_to_boundary(start, first_bytes, wanted, limit)
        self.remember(next_offset, start + size)
        return LogSlice((self._piece(data, start, size),), size, next_offset)

    def _piece(self, data: bytes, start: int, size_bytes: int) -> Piece:
        """So many bytes from there, of which `data` has been read."""
        if size_bytes <= len(data):
            return data if size_bytes == len(data) else memoryview(data)[:size_bytes]
        if size_bytes <= UNREAD_FROM_BYTES:
            return self._pread(start, size_bytes)
        self._pread(start + size_bytes - 1, 1)  # the file has all of it
        return self.file.unread(start, size_bytes)

    def _pread(self, position: int, size_bytes: int) -> bytes:
        data = self.file.pread(position, size_bytes)
        if len(data) < size_bytes:
            raise self.corrupt(position, f"the file ends {size_bytes - len(data)} bytes too early")
        return data

    def _check_first(self, data: bytes, start: int, offset: int) -> tuple[int, int]:
        """The size of the first batch, which must be the one asked for, and the offset behind."""
        base_offset, length, magic, last_delta, _ = HEAD.unpack_from(data, 0)
        if magic != MAGIC or length + LENGTH_PREFIX_SIZE < HEADER_SIZE:
            raise self.corrupt(start, f"magic {magic}, length {length}")
        if base_offset + last_delta < offset:
            raise self.corrupt(start, f"the batch ends before offset {offset}")
        return length + LENGTH_PREFIX_SIZE, base_offset + last_delta + 1

    def _last_boundary(self, data: bytes, start: int, first_bytes: int) -> tuple[int, int]:
        """How much of `data` is whole batches, and the offset behind them.

        The index gives the last few of them to walk.
        """
        length = len(data)
        at = max(self.offset_index.position_below(start + length) - start, first_bytes)
        before = 0 if at == first_bytes else None
        while at + LENGTH_PREFIX_SIZE <= length:
            size_bytes = _LENGTH.unpack_from(data, at + 8)[0] + LENGTH_PREFIX_SIZE
            if size_bytes < HEADER_SIZE:
                raise self.corrupt(start + at, f"a batch of {size_bytes} bytes")
            if at + size_bytes > length:
                break
            before, at = at, at + size_bytes
        if before is not None:
            base_offset, _, _, last_delta, _ = HEAD.unpack_from(data, before)
            return at, base_offset + last_delta + 1
        return at, _OFFSET.unpack(self._pread(start + at, _OFFSET.size))[0]

    def _walk_to_boundary(
        self, start: int, first_bytes: int, wanted: int, limit: int
    ) -> tuple[int, int]:
        """As `_last_boundary`, of `wanted` bytes that have not been read; they end in a batch."""
        end = start + wanted
        at = max(self.offset_index.position_below(end), start + first_bytes)
        next_offset = None
        for batch in self.walk(at, limit):
            if batch.position + batch.size_bytes > end:
                if next_offset is None:
                    next_offset = batch.base_offset
                break
            at, next_offset = batch.position + batch.size_bytes, batch.last_offset + 1
        assert next_offset is not None, "the limit lies behind the end"
        return at - start, next_offset

    def corrupt(self, position: int, what: str) -> CorruptBatch:
        return corrupt(self.file, position, what)

    # Indexes

    @property
    def offset_index(self) -> OffsetIndex:
        return self.indexes.offsets(self.next_offset)

    @property
    def time_index(self) -> TimeIndex:
        return self.indexes.times(self.next_offset)

    @property
    def largest_timestamp(self) -> tuple[int, int]:
        """The largest timestamp and the last offset of its first batch; -1: nothing has one."""
        return self.indexes.largest_timestamp(self.next_offset)

    def confirm_largest_timestamp(self) -> bool:
        """Whether the batch has it that the time index names; else the indexes are made anew.

        A segment whose batches are damaged is believed. Raises OSError.
        """
        timestamp_ms, offset = self.largest_timestamp
        if timestamp_ms <= NO_TIMESTAMP:
            return True
        try:
            batch = next(self.walk(self.locate(offset)), None)
            if batch is not None and batch.max_timestamp == timestamp_ms:
                return True
            self.indexes.rebuild()
        except CorruptBatch:
            return True
        return False

    def open_transactions(self) -> None:
        """There is a transaction index from earlier."""
        self.transactions = TransactionIndex(self._files.open(self.path(layout.TRANSACTION_INDEX)))

    def add_aborted(self, aborted: AbortedTransaction) -> TransactionIndex:
        """Note what a marker aborts; returns the index, which is made for it. Raises OSError."""
        if self.transactions is None:
            file = self._files.open(self.path(layout.TRANSACTION_INDEX), 0)
            file.truncate(0)
            self.transactions = TransactionIndex(file)
            self.transactions.is_checked = True
        self.transactions.append(aborted)
        return self.transactions

    def truncate(self, position: int, next_offset: int) -> None:
        """Cut the file; the caller rebuilds the indexes."""
        self.file.truncate(position)
        self.next_offset = next_offset
        self.first_timestamp = None
        self._boundaries.clear()
        if self.transactions is not None:
            self.transactions.keep_below(next_offset)

    def modified_ms(self) -> int:
        """When the file was last written to, for logs without timestamps."""
        return self._files.modified_ms(self.path(layout.LOG))

    def data_files(self) -> Sequence[File]:
        """Those that are written with every batch or marker; the indexes follow later."""
        return (self.file,) if self.transactions is None else (self.file, self.transactions.file)

    def files(self) -> Sequence[File]:
        """The files that are in use."""
        return *self.data_files(), *self.indexes.files()

    def close(self) -> None:
        """Let the descriptors go."""
        for file in self.files():
            file.close()


def create_segment(
    files: Files,
    folder: str,
    base_offset: int,
    *,
    config: LogConfig,
    created_ms: int,
) -> Segment:
    """A new, empty segment and its data file."""
    segment = Segment(
        files,
        folder,
        base_offset,
        next_offset=base_offset,
        index_interval_bytes=config.index_interval_bytes,
        created_ms=created_ms,
        is_new=True,
    )
    segment.file.truncate(0)
    return segment
