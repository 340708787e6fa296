"""Copies partitions into a new data directory, of a broker that may be running, and checks them.

Of a partition its batches, producer snapshots, aborted transactions, leader epochs and topic id are
copied; indexes are made anew. A log only grows at its end, but retention and compaction take
segments away: if any but the last has changed while they were copied, they are copied again. What
the last one had when it was copied counts up to its last whole batch.

The copy is judged and brought into order by what a start does after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.operations.findings import Finding, Tally, note, problem
from godel.operations.new_directory import LogPosition, NewDirectory
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, read_offsets
from godel.storage.data_directory import DataDirectoryError
from godel.storage.files import Files, join
from godel.storage.log_config import LogConfig
from godel.storage.recovery import Cut
from godel.storage.recovery_run import RecoveredLog, UncleanLog, recover_logs
from godel.types import TopicPartition

ATTEMPTS = 20
THREADS = 2
LAST = "~"
"""Behind every offset in a name."""
COPIED = {layout.LOG, layout.TRANSACTION_INDEX, layout.PRODUCER_SNAPSHOT}
SIDECARS = {layout.LEADER_EPOCH_CHECKPOINT, layout.PARTITION_METADATA}
CONFIG = LogConfig(is_compacted=True, write_caching=False)
"""For the check: a gap between segments is compaction's, and everything is synced."""

Offsets = Mapping[TopicPartition, int]
OnProgress = Callable[[int], object]
State = Mapping[str, tuple[int, int]]
"""Size and time of modification of a folder's files."""


class Source(NamedTuple):
    """A partition's folder elsewhere, and what is said there of its log."""

    folder: str
    log_start_offset: int
    recovery_point: int


def read_checkpoint(files: Files, path: str) -> Offsets:
    """Raises `DataDirectoryError` for a damaged one, OSError."""
    try:
        return read_offsets(files, path)
    except DamagedCheckpoint as damage:
        raise DataDirectoryError(
            f"{damage}; start the broker on it once and stop it: it is written anew"
        ) from None


def log_bytes(files: Files, folder: str) -> int:
    """What the segments hold; 0 for a folder that is not there any more. Raises OSError."""
    try:
        names = files.list_files(folder)
        return sum(files.size(join(folder, name)) for name in names if name.endswith(layout.LOG))
    except FileNotFoundError:
        return 0


def copy_partition(files: Files, source: str, target: str, on_progress: OnProgress) -> bool:
    """Copy what belongs to a partition. False: its folder is gone. Raises OSError."""
    for _ in range(ATTEMPTS):
        try:
            before = _state(files, source)
            files.make_folder(target)
            for name in sorted(before):
                files.copy(join(source, name), join(target, name), on_progress)
            is_same = _is_same(before, _state(files, source))
        except FileNotFoundError:
            if not files.exists(source):
                if files.exists(target):
                    files.remove_folder(target)
                return False
            is_same = False
        if is_same:
            return True
        files.remove_folder(target)
    raise DataDirectoryError(f"{source} does not keep still while it is copied; try again later")


def _state(files: Files, folder: str) -> State:
    every = files.list_files(folder)
    unfinished = [name.split(".")[0] for name in every if name.endswith(layout.CLEANED)]
    bound = min(unfinished, default=LAST)  # what is being split has its first copies beyond it
    names = [
        name
        for name in every
        if _is_copied(name) and not (name.endswith(layout.SWAP) and name.split(".")[0] >= bound)
    ]
    return {
        name: (files.size(path), files.modified_ms(path))
        for name in names
        for path in (join(folder, name),)
    }


def _is_copied(name: str) -> bool:
    parsed = layout.parse_segment_file(name.removesuffix(layout.SWAP))
    return name in SIDECARS or (parsed is not None and parsed.suffix in COPIED)


def _is_same(before: State, after: State) -> bool:
    """Whether nothing happened but appends and what follows from them."""
    logs = sorted(name for name in before if name.endswith(layout.LOG))
    swaps = {name for name in {*before, *after} if name.endswith(layout.SWAP)}
    return all(before[name] == after.get(name) for name in logs[:-1]) and (
        {*logs} | swaps <= after.keys() and swaps <= before.keys()
    )


async def settle(
    files: Files,
    directory: NewDirectory,
    sources: Mapping[TopicPartition, Source],
    *,
    tally: Tally,
    clock: Clock,
    log: FilteringBoundLogger,
) -> dict[TopicPartition, LogPosition]:
    """Check the copies, make their indexes, and say where each log ends. `DataDirectoryError`."""
    unclean = [
        UncleanLog(name, directory.folder(name), CONFIG, 0, source.log_start_offset, None)
        for name, source in sources.items()
    ]
    positions: dict[TopicPartition, LogPosition] = {}
    for one in await recover_logs(files, unclean, threads=THREADS, clock=clock, log=log):
        if one.failure is not None:
            raise DataDirectoryError(one.failure)
        source = sources[one.partition]
        start_offset = min(source.log_start_offset, one.end_offset)
        undecided = one.report.open_transactions if one.report else None
        positions[one.partition] = LogPosition(start_offset, one.end_offset, undecided)
        tally.partitions += 1
        tally.size_bytes += log_bytes(files, directory.folder(one.partition))
        tally.add(judge(one, source))
    return positions


def judge(log: RecoveredLog, source: Source) -> Sequence[Finding]:
    """What the check of a copy says of the original."""
    found: list[Finding] = []
    cut = None if log.report is None else log.report.cut
    if cut is not None:
        found.append(_of_cut(cut, source.folder))
    if log.end_offset < source.recovery_point:
        what = (
            f"records are missing: the log went up to offset {source.recovery_point}, the copy "
            f"ends at {log.end_offset}"
        )
        found.append(problem(source.folder, what))
    return found


def _of_cut(cut: Cut, folder: str) -> Finding:
    name = cut.file.rpartition("/")[2]
    what = f"{cut.reason}; the copy ends at offset {cut.offset}"
    if not cut.aside:
        return note(join(folder, name), f"{what} (the torn end of a crash)", cut.position)
    what += f", what followed is kept in {', '.join(cut.aside)}"
    return problem(join(folder, name), what, cut.position)
