"""Which transactions of a partition are open, and what it means that one ends (KIP-98).

    data of 7 | data of 9 | data of 7 | ABORT of 7 | data of 9 ...
    first offset of 7                   its last     9 stays open, and nothing behind it is stable

A producer has at most one transaction open in a partition: from its first transactional batch to
the control batch with its marker. Of those that were aborted an index is kept, for readers that
want committed records only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from godel.records.batch import BatchHeader, EndMarker


class AbortedTransaction(NamedTuple):
    """What the transaction index keeps (Kafka's `AbortedTxn`)."""

    producer_id: int
    first_offset: int
    last_offset: int
    """Of its marker."""
    last_stable_offset: int
    """Everything before it was decided when the marker came."""


class OpenTransactions:
    """The transactions of one log that no marker has ended yet."""

    __slots__ = ("_first_offsets",)

    def __init__(self, begun: Mapping[int, int] | None = None) -> None:
        """`begun`: of each producer the offset at which its transaction began; -1: none is open."""
        opened = [one for one in (begun or {}).items() if one[1] >= 0]
        self._first_offsets = dict(sorted(opened, key=lambda one: one[1]))
        """In the order of the offsets, since what is begun later begins behind the others."""

    def __contains__(self, producer_id: int) -> bool:
        return producer_id in self._first_offsets

    @property
    def first_offsets(self) -> Mapping[int, int]:
        """Of each producer with one where it began, in that order."""
        return self._first_offsets

    @property
    def first_offset(self) -> int | None:
        """Where the earliest of them began; None: nothing is open."""
        return next(iter(self._first_offsets.values()), None)

    def first_offset_of(self, producer_id: int) -> int | None:
        return self._first_offsets.get(producer_id)

    def begin(self, producer_id: int, offset: int) -> None:
        """Take over a transactional batch; only the first one of a transaction matters."""
        self._first_offsets.setdefault(producer_id, offset)

    def end(self, producer_id: int) -> int | None:
        """End what a producer has open; returns where it began."""
        return self._first_offsets.pop(producer_id, None)

    def aborted_by(
        self, marker: EndMarker | None, producer_id: int, offset: int
    ) -> AbortedTransaction | None:
        """What a marker at `offset` aborts; None: it commits, or ends a transaction without data.

        The transaction stays open until the marker is written, which is written after this.
        """
        first_offset = self._first_offsets.get(producer_id)
        if marker is None or marker.is_commit or first_offset is None:
            return None
        others = (first for one, first in self._first_offsets.items() if one != producer_id)
        return AbortedTransaction(producer_id, first_offset, offset, next(others, offset + 1))

    def replay(self, header: BatchHeader, marker: EndMarker | None) -> AbortedTransaction | None:
        """Take over a batch that the log holds; what it aborts. `marker`: of a control batch."""
        if not header.is_transactional:
            return None
        if not header.is_control:
            self.begin(header.producer_id, header.base_offset)
            return None
        aborted = self.aborted_by(marker, header.producer_id, header.base_offset)
        self.end(header.producer_id)
        return aborted
