"""A partition's `leader-epoch-checkpoint`: lines `epoch start_offset` (KIP-101)."""

from __future__ import annotations

from collections.abc import Sequence

from godel.records.partition_log import EpochStart
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, read_lines, write_lines
from godel.storage.files import Files, join


def write_leader_epochs(files: Files, folder: str, epochs: Sequence[EpochStart]) -> None:
    """Replace the checkpoint, durably."""
    path = join(folder, layout.LEADER_EPOCH_CHECKPOINT)
    write_lines(files, path, (f"{entry.epoch} {entry.start_offset}" for entry in epochs))


def read_leader_epochs(files: Files, folder: str) -> list[EpochStart]:
    """The epochs in rising order; none when there is no checkpoint."""
    path = join(folder, layout.LEADER_EPOCH_CHECKPOINT)
    epochs: list[EpochStart] = []
    for line in read_lines(files, path):
        try:
            epoch, start_offset = line.split(" ")
            entry = EpochStart(int(epoch), int(start_offset))
        except ValueError:
            raise DamagedCheckpoint(f"{path} has the line {line[:80]!r}") from None
        if epochs and (entry.epoch <= epochs[-1].epoch or entry[1] < epochs[-1].start_offset):
            raise DamagedCheckpoint(f"{path} has epochs that do not rise")
        epochs.append(entry)
    return epochs
