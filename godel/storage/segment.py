"""A segment: one `.log` file of batches, back to back, and the two indexes into it.

The file is the truth. The indexes are loaded on first use and rebuilt by walking the batches'
headers when they are missing, short or wrong. Beside them stands a small memory of boundaries
served lately, so that a reader who comes back for what follows is there without a search.
Source: Kafka's `LogSegment`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from godel.clock import Clock
from godel.errors import CorruptBatch
from godel.records.batch import HEADER_SIZE, LENGTH_PREFIX_SIZE, MAGIC
from godel.storage import layout
from godel.storage.files import File, Files, join
from godel.storage.log_config import LogConfig
from godel.storage.offset_index import OffsetIndex
from godel.storage.time_index import TimeIndex
from godel.types import Buffer

NO_TIMESTAMP = -1
MAX_BOUNDARIES = 64
MAX_CLOSED_INDEXES = 4
"""So many closed segments of a log keep their indexes in memory."""
SMALLEST_WALK_BYTES = 8 * 1024
LARGEST_WALK_BYTES = 256 * 1024
UNINDEXED_LIMIT_BYTES = 4 * 1024 * 1024
"""More than this without an entry at the end of a segment: the index was not written in full."""

_WALK = struct.Struct(">qi4xB6xi8xq")
_LENGTH = struct.Struct(">i")
_OFFSET = struct.Struct(">q")


class WalkedBatch(NamedTuple):
    """What walking a segment shows of a batch."""

    position: int
    size_bytes: int
    base_offset: int
    last_offset: int
    max_timestamp: int


class Segment:
    """One segment of a `Log`, which owns it. Only the last one of a log is appended to."""

    __slots__ = (
        "_boundaries",
        "_ending",
        "_files",
        "_folder",
        "_index_interval_bytes",
        "_largest",
        "_offset_index",
        "_time_index",
        "_unindexed_bytes",
        "base_offset",
        "created_ms",
        "file",
        "first_timestamp",
        "next_offset",
        "roll_jitter_ms",
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
        roll_jitter_ms: int = 0,
        ending: str = "",
    ) -> None:
        self._files = files
        self._ending = ending
        self._folder = folder
        self._index_interval_bytes = index_interval_bytes
        self.base_offset = base_offset
        self.next_offset = next_offset
        self.created_ms = created_ms
        self.roll_jitter_ms = roll_jitter_ms
        self.file: File = files.open(self.path(layout.LOG), 0 if is_new else None)
        self.first_timestamp: int | None = None
        self._offset_index: OffsetIndex | None = None
        self._time_index: TimeIndex | None = None
        self._largest: tuple[int, int] | None = None
        self._unindexed_bytes = 0
        self._boundaries: dict[int, int] = {}
        if is_new or self.file.size == 0:
            self.start_indexes()

    def path(self, suffix: str) -> str:
        return join(self._folder, layout.segment_file(self.base_offset, suffix) + self._ending)

    def renamed(self, ending: str) -> None:
        """Its files have this ending now."""
        before, self._ending = self._ending, ending
        for file in self.files():
            file.path = file.path.removesuffix(before) + ending

    @property
    def size_bytes(self) -> int:
        return self.file.size

    # Appending

    def append(
        self, buffers: Sequence[Buffer], size_bytes: int, last_offset: int, max_timestamp: int
    ) -> None:
        """Write one batch at the end and note it in the indexes."""
        if self._largest is None or self._offset_index is None:
            self._resume()
        position = self.file.size
        self.file.append(buffers, size_bytes)
        self.index(position, size_bytes, last_offset, max_timestamp)

    def index(self, position: int, size_bytes: int, last_offset: int, max_timestamp: int) -> None:
        """Note a batch that is in the file now."""
        if self._largest is None or max_timestamp > self._largest[0]:
            self._largest = (max_timestamp, last_offset)
        if self._unindexed_bytes > self._index_interval_bytes:
            assert self._offset_index is not None
            self._offset_index.append(last_offset - self.base_offset, position)
            self._note_timestamp()
            self._unindexed_bytes = 0
        self._unindexed_bytes += size_bytes
        self.next_offset = last_offset + 1
        if position == 0:
            self.first_timestamp = max_timestamp

    def _resume(self) -> None:
        """Get ready for the first append to a segment that an earlier run has left.

        Its end was taken on trust; the batches behind the last index entry must agree.
        """
        index, _ = self._load_indexes()
        assert self.largest_timestamp is not None
        last_offset = self.next_offset - 1
        for batch in self.walk(index.last_position):
            last_offset = batch.last_offset
        if last_offset + 1 > self.next_offset:
            raise self.corrupt(0, f"there are batches up to {last_offset}, not {self.next_offset}")

    def is_due(self, timestamp_ms: int, clock: Clock, config: LogConfig) -> bool:
        """Whether it is to be closed for its age or its indexes' size. It is not empty.

        The age is counted from batch to batch where they have timestamps.
        """
        first_timestamp = self.first_timestamp
        if first_timestamp is None:
            first_timestamp = self.load_first_timestamp()
        age_limit_ms = config.segment_ms - self.roll_jitter_ms
        if first_timestamp >= 0 and timestamp_ms >= 0:
            is_old = timestamp_ms - first_timestamp > age_limit_ms
        else:
            is_old = clock.now_ms() - self.created_ms > age_limit_ms
        return is_old or self.has_full_index(config.segment_index_bytes)

    def has_full_index(self, limit_bytes: int) -> bool:
        offset_index, time_index = self._offset_index, self._time_index
        if offset_index is None or time_index is None:
            return False
        return (
            offset_index.size_bytes + OffsetIndex.ENTRY.size > limit_bytes
            or time_index.size_bytes + TimeIndex.ENTRY.size > limit_bytes
        )

    def load_first_timestamp(self) -> int:
        """The timestamp that the age of the segment is counted from; -1: it is empty."""
        if self.first_timestamp is None:
            first = next(self.walk(), None)
            if first is None:
                return NO_TIMESTAMP
            self.first_timestamp = first.max_timestamp
        return self.first_timestamp

    def finish(self) -> Sequence[File]:
        """Write the indexes as a closed segment has them; return their files."""
        if self._offset_index is None or self._time_index is None:
            return ()
        self._note_timestamp()
        return self.write_indexes()

    def write_indexes(self) -> Sequence[File]:
        """Bring the index files up to date."""
        offset_index, time_index = self._offset_index, self._time_index
        if offset_index is None or time_index is None:
            return ()
        offset_index.write()
        time_index.write()
        return offset_index.file, time_index.file

    def remember(self, offset: int, position: int) -> None:
        """A batch ends at `position`, and the next one has `offset`."""
        boundaries = self._boundaries
        if len(boundaries) >= MAX_BOUNDARIES and offset not in boundaries:
            del boundaries[next(iter(boundaries))]
        boundaries[offset] = position

    # Finding

    def walk(self, position: int = 0, end: int | None = None) -> Iterator[WalkedBatch]:
        """The batches from `position`, which is the beginning of one, to the end of the file."""
        limit = self.file.size if end is None else end
        chunk, chunk_start, chunk_bytes = b"", position, SMALLEST_WALK_BYTES
        while position < limit:
            at = position - chunk_start
            if at + HEADER_SIZE > len(chunk):
                chunk = self.file.pread(position, min(chunk_bytes, limit - position))
                chunk_start, at = position, 0
                chunk_bytes = min(2 * chunk_bytes, LARGEST_WALK_BYTES)
                if len(chunk) < HEADER_SIZE:
                    raise self.corrupt(position, "the file ends inside a header")
            base_offset, length, magic, last_delta, max_timestamp = _WALK.unpack_from(chunk, at)
            size_bytes = length + LENGTH_PREFIX_SIZE
            if magic != MAGIC or size_bytes < HEADER_SIZE or position + size_bytes > limit:
                raise self.corrupt(position, f"magic {magic}, length {length}")
            yield WalkedBatch(
                position, size_bytes, base_offset, base_offset + last_delta, max_timestamp
            )
            position += size_bytes

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
                self.rebuild_indexes()
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
    ) -> Buffer | None:
        """Whole batches from the first that ends at `offset` or later.

        Empty: the first one is larger than `max_bytes`. None: there is none in this segment.
        """
        start = self.locate(offset)
        limit = self.locate(upper_bound)
        if start >= limit:
            return None
        wanted = min(limit - start, max(max_bytes, HEADER_SIZE if at_least_one else 0))
        if wanted < HEADER_SIZE:
            return b""
        data = self.file.pread(start, wanted)
        if len(data) < wanted:
            raise self.corrupt(start, f"the file ends {wanted - len(data)} bytes too early")
        first_bytes = self._check_first(data, start, offset)
        if first_bytes > wanted:
            if not at_least_one:
                return b""
            if start + first_bytes > limit:
                raise self.corrupt(start, f"a batch of {first_bytes} bytes crosses a boundary")
            data = self.file.pread(start, first_bytes)
        elif start + wanted < limit:
            return memoryview(data)[: self._last_boundary(data, start, first_bytes)]
        else:
            self.remember(min(upper_bound, self.next_offset), limit)
        return data

    def _check_first(self, data: bytes, start: int, offset: int) -> int:
        """The size of the first batch, which must be the one that was asked for."""
        _, length, magic, _, _ = header = _WALK.unpack_from(data, 0)
        if magic != MAGIC or length + LENGTH_PREFIX_SIZE < HEADER_SIZE:
            raise self.corrupt(start, f"magic {magic}, length {length}")
        if header[0] + header[3] < offset:
            raise self.corrupt(start, f"the batch ends before offset {offset}")
        size_bytes: int = length + LENGTH_PREFIX_SIZE
        return size_bytes

    def _last_boundary(self, data: bytes, start: int, first_bytes: int) -> int:
        """How much of `data` is whole batches. The index gives the last few of them to walk."""
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
            base_offset, _, _, last_delta, _ = _WALK.unpack_from(data, before)
            self.remember(base_offset + last_delta + 1, start + at)
        elif at + _OFFSET.size <= length:
            self.remember(_OFFSET.unpack_from(data, at)[0], start + at)
        return at

    def corrupt(self, position: int, what: str) -> CorruptBatch:
        return CorruptBatch(f"{self.file.path} at {position}: {what}")

    # Indexes

    @property
    def offset_index(self) -> OffsetIndex:
        return self._offset_index or self._load_indexes()[0]

    @property
    def time_index(self) -> TimeIndex:
        return self._time_index or self._load_indexes()[1]

    @property
    def has_indexes(self) -> bool:
        """Whether the indexes are in memory."""
        return self._offset_index is not None

    @property
    def largest_timestamp(self) -> tuple[int, int]:
        """The largest timestamp and the last offset of its first batch; -1: nothing has one."""
        if self._largest is None:
            timestamp_ms, relative_offset = self._read_last_time() or self.time_index.last
            if self._largest is None:
                self._largest = (timestamp_ms, self.base_offset + relative_offset)
        return self._largest

    def _read_last_time(self) -> tuple[int, int] | None:
        """The last entry of the time index without the rest of it."""
        if self._time_index is not None:
            return self._time_index.last
        file = self._files.open(self.path(layout.TIME_INDEX))
        if file.size < TimeIndex.ENTRY.size or file.size % TimeIndex.ENTRY.size:
            return None
        data = file.pread(file.size - TimeIndex.ENTRY.size, TimeIndex.ENTRY.size)
        file.close()
        timestamp_ms, relative_offset = TimeIndex.ENTRY.unpack(data)
        is_plausible = 0 <= relative_offset < self.next_offset - self.base_offset
        return (timestamp_ms, relative_offset) if timestamp_ms > 0 and is_plausible else None

    def _load_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        if self._offset_index is None or self._time_index is None:
            self._offset_index, self._time_index = self._open_indexes(is_new=False)
            if self._is_doubtful():
                self.rebuild_indexes()
            else:
                self._unindexed_bytes = self.file.size - self._offset_index.last_position
        return self._offset_index, self._time_index

    def _open_indexes(self, *, is_new: bool) -> tuple[OffsetIndex, TimeIndex]:
        return (
            OffsetIndex(self._files, self.path(layout.OFFSET_INDEX), is_new=is_new),
            TimeIndex(self._files, self.path(layout.TIME_INDEX), is_new=is_new),
        )

    def _is_doubtful(self) -> bool:
        assert self._offset_index is not None
        assert self._time_index is not None
        size_bytes = self.file.size
        position = self._offset_index.last_position
        limit = UNINDEXED_LIMIT_BYTES + self._index_interval_bytes
        if position >= size_bytes or size_bytes - position > limit:
            return size_bytes > 0
        relative_end = self.next_offset - self.base_offset
        return not len(self._time_index) or self._time_index.last[1] >= relative_end

    def start_indexes(self) -> None:
        """Begin with empty indexes: the segment is empty, or about to be scanned."""
        self._offset_index, self._time_index = self._open_indexes(is_new=True)
        self._largest = (NO_TIMESTAMP, self.base_offset)
        self._unindexed_bytes = 0
        self._boundaries.clear()

    def rebuild_indexes(self) -> None:
        """Make the indexes anew from the batches' headers."""
        next_offset = self.next_offset
        self.start_indexes()
        for batch in self.walk():
            self.index(batch.position, batch.size_bytes, batch.last_offset, batch.max_timestamp)
        self.next_offset = max(next_offset, self.next_offset)
        self._note_timestamp()

    def resume_indexes(self, offset: int) -> int:
        """Keep what the index files say up to a batch that ends below `offset`, if that is sound.

        Returns the position of that batch, where indexing goes on; 0: begin anew.
        """
        offset_index, time_index = self._open_indexes(is_new=False)
        count = offset_index.count_up_to(offset - 1 - self.base_offset)
        if not count or not offset_index.is_rising() or not time_index.is_rising():
            self.start_indexes()
            return 0
        relative_offset, position = offset_index.entry(count - 1)
        try:
            batch = next(self.walk(position), None)
        except CorruptBatch:
            batch = None
        if batch is None or batch.last_offset != self.base_offset + relative_offset:
            self.start_indexes()
            return 0
        offset_index.keep(count)
        time_index.keep(time_index.count_up_to(relative_offset))
        self._offset_index, self._time_index = offset_index, time_index
        timestamp_ms, largest_offset = time_index.last
        self._largest = (timestamp_ms, self.base_offset + largest_offset)
        self._unindexed_bytes = 0
        return position

    def forget_indexes(self) -> None:
        """Give the memory of the indexes back; what was not written yet is written."""
        for file in self.write_indexes():
            file.close()
        self._offset_index = self._time_index = None

    def _note_timestamp(self) -> None:
        if self._largest is not None and self._largest[0] > NO_TIMESTAMP:
            assert self._time_index is not None
            timestamp_ms, offset = self._largest
            self._time_index.append_if_later(timestamp_ms, offset - self.base_offset)

    def truncate(self, position: int, next_offset: int) -> None:
        """Cut the file; the caller rebuilds the indexes."""
        self.file.truncate(position)
        self.next_offset = next_offset
        self.first_timestamp = None
        self._boundaries.clear()

    def modified_ms(self) -> int:
        """When the file was last written to, for logs without timestamps."""
        return self._files.modified_ms(self.path(layout.LOG))

    def files(self) -> Sequence[File]:
        """The files that are in use."""
        if self._offset_index is None or self._time_index is None:
            return (self.file,)
        return self.file, self._offset_index.file, self._time_index.file

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
    roll_jitter_ms: int = 0,
) -> Segment:
    """A new, empty segment and its data file."""
    segment = Segment(
        files,
        folder,
        base_offset,
        next_offset=base_offset,
        index_interval_bytes=config.index_interval_bytes,
        created_ms=created_ms,
        roll_jitter_ms=roll_jitter_ms,
        is_new=True,
    )
    segment.file.truncate(0)
    return segment


def limit_indexes(segments: Sequence[Segment]) -> None:
    """Let the oldest closed segments of a log, which its readers have passed, give theirs back."""
    if len(segments) > MAX_CLOSED_INDEXES + 1:
        indexed = [segment for segment in segments[:-1] if segment.has_indexes]
        for segment in indexed[:-MAX_CLOSED_INDEXES]:
            segment.forget_indexes()
