"""Whether transaction indexes agree with the markers in the log.

Every marker that aborts records which are there must have an entry, and every entry its marker. Of
records that were deleted or compacted away an entry may tell on, or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from godel.records.batch import BatchHeader, EndMarker
from godel.records.transactions import OpenTransactions
from godel.storage.transaction_index import TransactionIndex


class TransactionCheck:
    """Of one partition: `see` every batch, and `finish` each segment with its index."""

    def __init__(self) -> None:
        self._open = OpenTransactions()
        self._aborted: dict[int, int] = {}
        """Of the segment: the offset of the marker to where its transaction's records begin."""
        self._markers: dict[int, int] = {}
        """Of the segment: the offset of a marker that aborts to its producer."""

    def see(self, header: BatchHeader, marker: EndMarker | None) -> None:
        """`marker`: of a control batch."""
        if marker is not None and not marker.is_commit:
            self._markers[header.base_offset] = header.producer_id
        aborted = self._open.replay(header, marker)
        if aborted is not None:
            self._aborted[aborted.last_offset] = aborted.first_offset

    def forget(self) -> None:
        """Go on to the next segment: the index of this one will be made anew."""
        self._aborted, self._markers = {}, {}

    def finish(
        self, index: TransactionIndex | None, base_offset: int, next_offset: int
    ) -> Iterator[str]:
        """What is wrong with the segment's index (None: it has none). Raises OSError."""
        aborted, markers = self._aborted, self._markers
        self.forget()
        if index is not None and not index.is_sound(base_offset, next_offset):
            yield "it cannot be the index of this segment"
            return
        for entry in () if index is None else index.entries():
            first_offset = aborted.pop(entry.last_offset, entry.first_offset)
            if markers.get(entry.last_offset) != entry.producer_id:
                yield f"producer {entry.producer_id} has not aborted at offset {entry.last_offset}"
            elif entry.first_offset > first_offset:
                yield (
                    f"what producer {entry.producer_id} aborted at {entry.last_offset} began at "
                    f"{first_offset}, not at {entry.first_offset}"
                )
        for last_offset in aborted:
            yield f"it does not know what was aborted at offset {last_offset}"
