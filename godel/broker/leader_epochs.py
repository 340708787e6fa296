"""Which leader epoch began at which offset (KIP-101, KIP-320; Kafka's `LeaderEpochFileCache`).

Clients use it to find out whether the log they have read is still the log that is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from godel.records.partition_log import EpochStart

NO_EPOCH = -1
NO_OFFSET = -1


class EpochEnd(NamedTuple):
    """The answer to OffsetForLeaderEpoch: the epoch that is known, and where it ended."""

    epoch: int
    end_offset: int


class LeaderEpochs:
    """The epochs of one partition, oldest first. Owned by its `Partition`."""

    __slots__ = ("entries",)

    def __init__(self, entries: Iterable[EpochStart] = ()) -> None:
        self.entries = list(entries)

    @property
    def latest(self) -> int:
        return self.entries[-1].epoch if self.entries else NO_EPOCH

    def begin(self, epoch: int, start_offset: int) -> bool:
        """Note that `epoch` starts at `start_offset`; False when it is known already.

        An older entry that starts at or behind that offset has no records and is dropped.
        """
        if epoch <= self.latest:
            return False
        while self.entries and self.entries[-1].start_offset >= start_offset:
            self.entries.pop()
        self.entries.append(EpochStart(epoch, start_offset))
        return True

    def truncate_prefix(self, log_start_offset: int) -> bool:
        """Forget epochs that ended at or before the log start; True when something changed."""
        keep = 0
        while keep + 1 < len(self.entries) and (
            self.entries[keep + 1].start_offset <= log_start_offset
        ):
            keep += 1
        first = self.entries[keep] if self.entries else None
        changed = keep > 0
        del self.entries[:keep]
        if first is not None and first.start_offset < log_start_offset:
            self.entries[0] = EpochStart(first.epoch, log_start_offset)
            changed = True
        return changed

    def end_of(self, epoch: int, *, leader_epoch: int, end_offset: int) -> EpochEnd:
        """Where `epoch` ended: the rules of OffsetForLeaderEpoch for a leader at `leader_epoch`."""
        if epoch == leader_epoch:
            return EpochEnd(epoch, end_offset)
        if epoch > leader_epoch or epoch < 0:
            return EpochEnd(NO_EPOCH, NO_OFFSET)
        if not self.entries:
            return EpochEnd(epoch, end_offset)  # where the leader's epoch will begin
        if epoch < self.entries[0].epoch:
            return EpochEnd(epoch, self.entries[0].start_offset)
        known, end = NO_EPOCH, end_offset
        for entry in self.entries:
            if entry.epoch > epoch:
                end = entry.start_offset
                break
            known = entry.epoch
        return EpochEnd(known, end)

    def at(self, offset: int) -> int:
        """The epoch of the record at `offset`."""
        epoch = NO_EPOCH
        for entry in self.entries:
            if entry.start_offset > offset:
                break
            epoch = entry.epoch
        return epoch
