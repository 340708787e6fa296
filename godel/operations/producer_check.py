"""Whether producer snapshots agree with the batches before them.

A snapshot may know producers whose batches are gone, and need not know those that have expired; but
of a producer whose last batch is in the log it must say what that batch says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from godel.records.batch import BatchHeader
from godel.records.partition_log import ProducerEntry

Last = dict[int, tuple[int, int, int]]
"""Producer id to the last offset, last sequence and epoch of its last batch."""


class ProducerCheck:
    """Of one partition: `expect` the snapshots' offsets, `see` each batch, `compare` each one."""

    def __init__(self) -> None:
        self._last: Last = {}
        self._expected: list[int] = []
        self._states: dict[int, Last] = {}

    def expect(self, offsets: Sequence[int]) -> None:
        self._expected = sorted(offsets, reverse=True)

    def see(self, header: BatchHeader) -> None:
        while self._expected and self._expected[-1] <= header.base_offset:
            self._states[self._expected.pop()] = dict(self._last)
        if header.producer_id >= 0 and not header.is_control:
            self._last[header.producer_id] = (
                header.last_offset,
                header.last_sequence,
                header.producer_epoch,
            )

    def compare(self, offset: int, entries: Sequence[ProducerEntry]) -> Iterator[str]:
        """What is wrong with the snapshot as of `offset`; each producer's last entry counts."""
        state = self._states.get(offset, self._last)
        for entry in {entry.producer_id: entry for entry in entries}.values():
            name = f"producer {entry.producer_id}"
            if entry.last_offset >= offset:
                yield f"{name} has a batch up to {entry.last_offset}, behind the snapshot"
                continue
            last_offset, last_sequence, epoch = state.get(entry.producer_id, (-1, -1, -1))
            if entry.producer_epoch > epoch:
                continue  # by a marker of a transaction, which has no sequence
            if last_offset > entry.last_offset:
                yield f"{name} has a batch up to {last_offset} that it does not know"
            elif last_offset == entry.last_offset and (
                (last_sequence, epoch) != (entry.last_sequence, entry.producer_epoch)
            ):
                yield (
                    f"{name} is at sequence {entry.last_sequence} of epoch {entry.producer_epoch}, "
                    f"its batch at {last_sequence} of {epoch}"
                )
