"""The offset index and the time index of one segment: loaded, doubted, rebuilt, resumed.

They are loaded on first use and rebuilt by walking the batches' headers when they are missing,
short or wrong. What is behind their last entries is kept beside them: the largest timestamp so far
and the bytes since the last entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from godel.errors import CorruptBatch
from godel.storage import layout
from godel.storage.batch_walk import WalkedBatch, walk
from godel.storage.files import File, Files, is_full
from godel.storage.offset_index import OffsetIndex
from godel.storage.time_index import TimeIndex

NO_TIMESTAMP = -1
UNINDEXED_LIMIT_BYTES = 4 * 1024 * 1024
"""More than this without an entry at the end of a segment: the index was not written in full."""
WALKED_BYTES = 1024 * 1024
"""A segment without index files has no more, be `index.interval.bytes` ever so large."""


class SegmentIndexes:
    """Of one `Segment`, which owns this and the file `data` that they lead into."""

    __slots__ = (
        "_base_offset",
        "_data",
        "_files",
        "_interval_bytes",
        "_largest",
        "_offsets",
        "_times",
        "_unindexed_bytes",
    )

    def __init__(self, files: Files, data: File, base_offset: int, *, interval_bytes: int) -> None:
        self._files = files
        self._data = data
        self._base_offset = base_offset
        self._interval_bytes = interval_bytes
        self._offsets: OffsetIndex | None = None
        self._times: TimeIndex | None = None
        self._largest: tuple[int, int] | None = None
        self._unindexed_bytes = 0

    # Loading

    @property
    def are_loaded(self) -> bool:
        return self._offsets is not None

    @property
    def are_ready(self) -> bool:
        """Whether a batch can be noted."""
        return self._offsets is not None and self._largest is not None

    def offsets(self, next_offset: int) -> OffsetIndex:
        """The offset index. `next_offset` is the segment's, here and in the others."""
        return self._offsets or self.load(next_offset)[0]

    def times(self, next_offset: int) -> TimeIndex:
        return self._times or self.load(next_offset)[1]

    def load(self, next_offset: int) -> tuple[OffsetIndex, TimeIndex]:
        offsets, times = self._offsets, self._times
        if offsets is None or times is None:
            offsets, times = self._offsets, self._times = self._open(is_new=False)
            if self._are_doubtful(offsets, times, next_offset):
                self.rebuild()
                return self.load(next_offset)
            self._unindexed_bytes = self._data.size - offsets.last_position
        return offsets, times

    def _open(self, *, is_new: bool) -> tuple[OffsetIndex, TimeIndex]:
        return (
            OffsetIndex(self._files, self._path(layout.OFFSET_INDEX), is_new=is_new),
            TimeIndex(self._files, self._path(layout.TIME_INDEX), is_new=is_new),
        )

    def _path(self, suffix: str) -> str:
        return layout.beside_log(self._data.path, suffix)

    def _are_doubtful(self, offsets: OffsetIndex, times: TimeIndex, next_offset: int) -> bool:
        size_bytes = self._data.size
        position = offsets.last_position
        limit = UNINDEXED_LIMIT_BYTES + self._interval_bytes
        if position >= size_bytes or size_bytes - position > limit:
            return size_bytes > 0
        return not len(times) or times.last[1] >= next_offset - self._base_offset

    def largest_timestamp(self, next_offset: int) -> tuple[int, int]:
        """The largest timestamp and the last offset of its first batch; -1: nothing has one."""
        if self._largest is None:
            timestamp_ms, relative_offset = (
                self._read_last_time(next_offset) or self.times(next_offset).last
            )
            if self._largest is None:
                self._largest = (timestamp_ms, self._base_offset + relative_offset)
        return self._largest

    def _read_last_time(self, next_offset: int) -> tuple[int, int] | None:
        """The last entry of the time index without the rest of it."""
        if self._times is not None:
            return self._times.last
        file = self._files.open(self._path(layout.TIME_INDEX))
        if file.size < TimeIndex.ENTRY.size or file.size % TimeIndex.ENTRY.size:
            return None
        data = file.pread(file.size - TimeIndex.ENTRY.size, TimeIndex.ENTRY.size)
        file.close()
        timestamp_ms, relative_offset = TimeIndex.ENTRY.unpack(data)
        is_plausible = 0 <= relative_offset < next_offset - self._base_offset
        return (timestamp_ms, relative_offset) if timestamp_ms > 0 and is_plausible else None

    # Filling

    def note(self, position: int, size_bytes: int, last_offset: int, max_timestamp: int) -> None:
        """Note a batch that is in the file now. They are loaded."""
        if self._largest is None or max_timestamp > self._largest[0]:
            self._largest = (max_timestamp, last_offset)
        if self._unindexed_bytes > self._interval_bytes:
            assert self._offsets is not None
            self._offsets.append(last_offset - self._base_offset, position)
            self._note_timestamp()
            self._unindexed_bytes = 0
        self._unindexed_bytes += size_bytes

    def _note_timestamp(self) -> None:
        if self._largest is not None and self._largest[0] > NO_TIMESTAMP:
            assert self._times is not None
            timestamp_ms, offset = self._largest
            self._times.append_if_later(timestamp_ms, offset - self._base_offset)

    def is_full(self, limit_bytes: int) -> bool:
        """Whether one of them may not take another entry."""
        offsets, times = self._offsets, self._times
        if offsets is None or times is None:
            return False
        return (
            offsets.size_bytes + OffsetIndex.ENTRY.size > limit_bytes
            or times.size_bytes + TimeIndex.ENTRY.size > limit_bytes
        )

    def start(self) -> None:
        """Begin with empty indexes: the segment is empty, or about to be scanned."""
        self._offsets, self._times = self._open(is_new=True)
        self._largest = (NO_TIMESTAMP, self._base_offset)
        self._unindexed_bytes = 0

    def rebuild(self) -> None:
        """Make them anew from the batches' headers."""
        self.start()
        for batch in walk(self._data):
            self.note(batch.position, batch.size_bytes, batch.last_offset, batch.max_timestamp)
        self._note_timestamp()

    def resume(self, offset: int) -> int:
        """Keep what the index files say up to a batch that ends below `offset`, if that is sound.

        Returns the position of the batch, where indexing goes on; 0: begin anew.
        """
        offsets, times = self._open(is_new=False)
        count = offsets.count_up_to(offset - 1 - self._base_offset)
        if not (count and offsets.is_rising() and times.is_rising()):
            self.start()
            return 0
        relative_offset, position = offsets.entry(count - 1)
        try:
            batch = next(walk(self._data, position), None)
            is_sound = (
                batch is not None
                and batch.last_offset == self._base_offset + relative_offset
                and self._has_largest(batch, offsets, times)
            )
        except CorruptBatch:
            is_sound = False
        if not is_sound:
            self.start()
            return 0
        offsets.keep(count)
        times.keep(times.count_up_to(relative_offset))
        self._offsets, self._times = offsets, times
        timestamp_ms, largest_offset = times.last
        self._largest = (timestamp_ms, self._base_offset + largest_offset)
        self._unindexed_bytes = 0
        return position

    def _has_largest(self, last: WalkedBatch, offsets: OffsetIndex, times: TimeIndex) -> bool:
        """Whether the time index has the largest timestamp up to the last indexed batch.

        It had when the offset index got that batch; one that has not has lost its end in a power
        cut. Where timestamps rise the batch itself says so. Otherwise those behind the last entry
        that is left are looked at. Raises `CorruptBatch`.
        """
        known_ms, known_offset = times.largest_up_to(last.last_offset - self._base_offset)
        if last.max_timestamp > known_ms:
            return False
        since = walk(self._data, offsets.position_for(known_offset), last.position)
        return all(batch.max_timestamp <= known_ms for batch in since)

    # Writing

    def finish(self) -> Sequence[File]:
        """Write them as a closed segment has them; return the files worth syncing.

        One without entries is not, and is closed here: when it is lost, nothing is.
        """
        if self._offsets is None or self._times is None:
            return ()
        self._note_timestamp()
        self.write()
        for one in (self._offsets, self._times):
            if not len(one):
                one.file.close()
        return [one.file for one in (self._offsets, self._times) if len(one)]

    @property
    def need_no_files(self) -> bool:
        """Whether there are no files, and need be none while the segment is the active one.

        Its few batches, before the first entry, are walked again sooner than two files are made.
        """
        if self._offsets is None or len(self._offsets) or self._data.size > WALKED_BYTES:
            return False
        return not any(self._files.exists(file.path) for file in self.files())

    def write(self) -> Sequence[File]:
        """Bring the files up to date; return them."""
        if self._offsets is None or self._times is None:
            return ()
        self._offsets.write()
        self._times.write()
        return self.files()

    def forget(self) -> None:
        """Give their memory back; what was not written yet is written if there is space."""
        try:
            files = self.write()
        except OSError as failure:
            if not is_full(failure):
                raise
            self.discard()
            return
        for file in files:
            file.close()
        self._offsets = self._times = None

    def discard(self) -> None:
        """Have them made anew when they are needed next: there is no space for them now."""
        for file in self.files():
            file.close()
            if self._files.exists(file.path):
                self._files.remove(file.path)
        self._offsets = self._times = None

    def files(self) -> Sequence[File]:
        """The files that are in use."""
        if self._offsets is None or self._times is None:
            return ()
        return self._offsets.file, self._times.file
