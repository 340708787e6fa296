"""What a partition keeps beside its batches: topic id, leader epochs, producer snapshots.

The files are written and read here; what they mean is the broker's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from godel.records.partition_log import EpochStart, ProducerEntry
from godel.storage import retention
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.files import File, Files
from godel.storage.leader_epoch_checkpoint import read_leader_epochs, write_leader_epochs
from godel.storage.partition_metadata import read_partition_metadata, write_partition_metadata
from godel.storage.producer_snapshot import DamagedSnapshot, read_producers, write_producers
from godel.types import TopicId

REPLAYED_BYTES = 32 << 20
"""More than so much without a producer snapshot takes too long to replay when a log is opened."""


class SnapshotPlan(NamedTuple):
    """A producer snapshot to be written, and those that may go then."""

    folder: str
    offset: int
    producers: Sequence[ProducerEntry]
    outdated: Sequence[int]


class SidecarFiles:
    """The files beside the segments of one log, which owns this."""

    __slots__ = ("_files", "_folder", "_snapshots", "on_removed")

    def __init__(self, files: Files, folder: str, snapshot_offsets: set[int]) -> None:
        self._files = files
        self._folder = folder
        self._snapshots = snapshot_offsets
        self.on_removed: Callable[[Collection[str]], None] | None = None
        """Told which files are gone, so that no sync makes them anew."""

    def topic_id(self) -> TopicId | None:
        """Raises `DamagedCheckpoint`, OSError."""
        return read_partition_metadata(self._files, self._folder)

    def write_topic_id(self, topic_id: TopicId) -> None:
        """The folder is not synced yet."""
        write_partition_metadata(self._files, self._folder, topic_id)

    def leader_epochs(self, seen: Sequence[EpochStart], end_offset: int) -> list[EpochStart]:
        """The checkpointed epochs within the log, and later ones that its batches carry."""
        try:
            kept = read_leader_epochs(self._files, self._folder)
        except (DamagedCheckpoint, OSError):
            kept = []
        merged = [entry for entry in kept if entry.start_offset <= end_offset]
        for entry in seen:
            if not merged or entry.epoch > merged[-1].epoch:
                merged.append(entry)
        return merged

    def write_leader_epochs(self, epochs: Sequence[EpochStart]) -> None:
        write_leader_epochs(self._files, self._folder, epochs)

    def latest_producers(self, end_offset: int) -> tuple[int, list[ProducerEntry]] | None:
        """The newest whole snapshot up to `end_offset`, and its offset."""
        for offset in sorted(self._snapshots, reverse=True):
            if offset <= end_offset:
                try:
                    return offset, read_producers(self._files, self._folder, offset)
                except (DamagedSnapshot, OSError):
                    self._snapshots.discard(offset)
        return None

    def has_producers(self, offset: int) -> bool:
        """Whether there is a snapshot as of this offset."""
        return offset in self._snapshots

    @property
    def has_snapshots(self) -> bool:
        """Whether there is one of any offset."""
        return bool(self._snapshots)

    def write_producers(
        self, offset: int, producers: Sequence[ProducerEntry], bases: Collection[int]
    ) -> File:
        """Write a snapshot and drop those that no segment begins with; returns the file."""
        plan = self.plan_snapshot(offset, producers, bases)
        file = carry_out(self._files, plan)
        self.note_carried_out(plan)
        return file

    def plan_snapshot(
        self, offset: int, producers: Sequence[ProducerEntry], bases: Collection[int]
    ) -> SnapshotPlan:
        """What `write_producers` would do."""
        outdated = self._snapshots - {*bases, max(self._snapshots | {offset})}
        return SnapshotPlan(self._folder, offset, producers, tuple(outdated))

    def note_carried_out(self, plan: SnapshotPlan) -> None:
        self._snapshots.add(plan.offset)
        self._note_removed(plan.outdated)

    def forget_snapshots(self, bases: Collection[int]) -> None:
        """Keep the snapshots of the segments there are, and the newest one."""
        outdated = self._snapshots - {*bases, max(self._snapshots, default=0)}
        _remove(self._files, self._folder, outdated)
        self._note_removed(outdated)

    def _note_removed(self, offsets: Collection[int]) -> None:
        self._snapshots.difference_update(offsets)
        if self.on_removed is not None:
            self.on_removed({retention.snapshot_path(self._folder, one) for one in offsets})


def carry_out(files: Files, plan: SnapshotPlan) -> File:
    """Write the snapshot and remove what it makes outdated, in any thread. Raises OSError."""
    file = write_producers(files, plan.folder, plan.offset, plan.producers)
    _remove(files, plan.folder, plan.outdated)
    return file


def _remove(files: Files, folder: str, offsets: Iterable[int]) -> None:
    retention.remove_files(files, [retention.snapshot_path(folder, one) for one in offsets])
