"""What was aborted in a log: searched in the transaction indexes of its segments, and made anew.

An index is made anew where recovery checks a segment, and where it turns out to be damaged. Both
have to know what was open before: the newest producer snapshot says it, and what follows that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from godel.errors import CorruptBatch
from godel.records.batch import BatchHeader, EndMarker, read_end_marker
from godel.records.partition_log import ProducerEntry
from godel.records.transactions import AbortedTransaction, OpenTransactions
from godel.storage import layout
from godel.storage.batch_walk import walk_headers
from godel.storage.segment import Segment
from godel.storage.transaction_index import TransactionIndex

Snapshots = Callable[[int], tuple[int, list[ProducerEntry]] | None]
"""The newest producer snapshot up to an offset, and its offset."""


def collect(
    segments: Sequence[Segment], number: int, *, start: int, upper_bound: int, snapshots: Snapshots
) -> list[AbortedTransaction]:
    """What overlaps `[start, upper_bound)`; `start` lies in segment `number`.

    A marker may come segments later: the search ends where an entry says that everything below
    `upper_bound` was decided. Raises OSError, `CorruptBatch`.
    """
    found: list[AbortedTransaction] = []
    for segment in islice(segments, number, None):
        if segment.transactions is not None:
            index = _sound_index(segments, segment, segment.transactions, snapshots)
            for entry in index.entries(index.find(start)):
                if entry.first_offset < upper_bound:
                    found.append(entry)
                if entry.last_stable_offset >= upper_bound:
                    return found
    return found


def _sound_index(
    segments: Sequence[Segment], segment: Segment, index: TransactionIndex, snapshots: Snapshots
) -> TransactionIndex:
    """The index of a segment, made anew if what an earlier run has left is not sound."""
    if not index.is_checked:
        if not index.is_sound(segment.base_offset, segment.next_offset):
            Rebuilding(segments, snapshots).begin(segment, segment.next_offset)
        index.is_checked = True
    return index


class Rebuilding:
    """Makes the indexes of consecutive segments anew, from an offset on, batch by batch."""

    def __init__(self, segments: Sequence[Segment], snapshots: Snapshots) -> None:
        self._segments = segments
        self._snapshots = snapshots
        self._open: OpenTransactions | None = None

    @property
    def open_transactions(self) -> Mapping[int, int] | None:
        """Where those began that are open behind the last batch, by producer; None: saw none."""
        return None if self._open is None else self._open.first_offsets

    def begin(self, segment: Segment, offset: int) -> None:
        """Go on with a segment, from the batch at `offset` on: what is before it has its entries.

        Where the index has not been sound, it gets them now. Raises OSError, `CorruptBatch`.
        """
        index = segment.transactions
        if index is None:
            return
        if not index.is_sound(segment.base_offset, layout.MAX_OFFSET):
            index.file.truncate(0)
            for position, header in _transactional(segment, segment.base_offset, offset):
                self.note(segment, position, header)
        index.keep_below(offset)
        index.is_checked = True

    def note(self, segment: Segment, position: int, header: BatchHeader) -> None:
        """Take over the next transactional batch of the segment."""
        if self._open is None:
            self._open = self._open_at(header.base_offset)
        aborted = self._open.replay(header, _marker(segment, position, header))
        if aborted is not None:
            segment.add_aborted(aborted)

    def _open_at(self, offset: int) -> OpenTransactions:
        """What is open before the batch at `offset`. Most logs have no transactions: not asked."""
        start, producers = self._snapshots(offset) or (self._segments[0].base_offset, [])
        found = OpenTransactions(
            {one.producer_id: one.current_transaction_first_offset for one in producers}
        )
        first = max(bisect_right(self._segments, start, key=_base_offset) - 1, 0)
        for segment in islice(self._segments, first, None):
            if segment.base_offset >= offset:
                break
            for position, header in _transactional(segment, start, offset):
                found.replay(header, _marker(segment, position, header))
        return found


def _transactional(segment: Segment, start: int, end: int) -> Iterator[tuple[int, BatchHeader]]:
    """Batches of transactions that begin in `[start, end)`.

    Up to one that is damaged: nobody can read what is behind it, and this is not the place to
    decide what becomes of it.
    """
    with suppress(CorruptBatch):
        for position, header in walk_headers(segment.file):
            if header.base_offset >= end:
                return
            if header.is_transactional and header.base_offset >= start:
                yield position, header


def _base_offset(segment: Segment) -> int:
    return segment.base_offset


def _marker(segment: Segment, position: int, header: BatchHeader) -> EndMarker | None:
    if not header.is_control:
        return None
    return read_end_marker(segment.file.pread(position, header.size_bytes))
