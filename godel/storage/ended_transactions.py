"""Which batches of ended transactions compaction need not keep, found out batch by batch.

    data of 7 | data of 9 | ABORT of 7 | COMMIT of 9
    goes        stays       stays        stays          the next time, the marker of 7 goes, too

A marker stays as long as something of its transaction was there when the log was last compacted;
that of an abort keeps its entry in the transaction index. Plays the part of Kafka's
`CleanedTransactionMetadata`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from godel.records.batch import BatchHeader, read_end_marker
from godel.records.transactions import AbortedTransaction
from godel.types import Buffer


class EndedTransactions:
    """One walk over a log, in which everything must be decided (`Partition.last_stable_offset`)."""

    __slots__ = ("_aborted", "_coming", "_with_data", "kept")

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        """`aborted`: those that have a batch or their marker where the walk goes."""
        self._coming = deque(sorted(aborted, key=lambda one: one.first_offset))
        self._aborted: dict[int, AbortedTransaction] = {}
        self._with_data: set[int] = set()
        """Producers of which a batch was seen since their last marker."""
        self.kept: list[AbortedTransaction] = []
        """Of markers that stay; whoever writes them to an index takes them out."""

    def is_garbage(self, header: BatchHeader, batch: Buffer) -> bool:
        """Take over the next batch; whether it was aborted, or is the marker of nothing."""
        if not header.is_transactional:
            return False
        while self._coming and self._coming[0].first_offset <= header.last_offset:
            begun = self._coming.popleft()
            self._aborted[begun.producer_id] = begun
        producer_id = header.producer_id
        if not header.is_control:
            self._with_data.add(producer_id)
            return producer_id in self._aborted
        if read_end_marker(batch) is None:
            return False
        aborted = self._aborted.pop(producer_id, None)
        if producer_id not in self._with_data:
            return True
        self._with_data.remove(producer_id)
        if aborted is not None:
            self.kept.append(aborted)
        return False
