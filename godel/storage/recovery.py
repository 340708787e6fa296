"""How a partition's folder becomes a log again (Kafka's `LogLoader`).

After a clean stop the folder is listed and that is it. After any other, every batch from the
segment with the recovery point on is checked (header, offsets, CRC) and indexed anew; at the first
that is wrong (`batch_scan.py`) the log ends. A torn tail is cut; where whole batches stand behind
the wrong one, all that is cut off is kept aside in `.corrupt` files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from godel.records.batch import (
    HEADER_SIZE,
    LENGTH_PREFIX_SIZE,
    TRANSACTIONAL_BIT,
    BatchHeader,
)
from godel.records.partition_log import EpochStart
from godel.storage import layout
from godel.storage.aborted import Rebuilding
from godel.storage.batch_scan import SCAN_BYTES, SEARCH_BYTES, Scan, find_batch, scan
from godel.storage.batch_walk import walk_whole
from godel.storage.files import File, Files, is_full, join, parent
from godel.storage.log_config import LogConfig
from godel.storage.retention import remove_files
from godel.storage.segment import Segment, create_segment
from godel.storage.sidecar_files import SidecarFiles
from godel.storage.swap import complete_swaps

OnRead = Callable[[int], None]
"""Told how many bytes are read for a check."""


class Cut(NamedTuple):
    """Where and why recovery ended the log, and what became of the rest."""

    offset: int
    file: str
    position: int
    reason: str
    cut_bytes: int
    aside: tuple[str, ...]


class Hole(NamedTuple):
    """Offsets between two segments of which there are no batches, though all were durable."""

    offset: int
    next_offset: int
    behind: str
    """The file of the segment before it."""


@dataclass(slots=True)
class RecoveryReport:
    """What opening a log found and did."""

    was_checked: bool = False
    checked_bytes: int = 0
    cut: Cut | None = None
    holes: list[Hole] = field(default_factory=list)
    leader_epochs: list[EpochStart] = field(default_factory=list)
    """As the checked batches carry them."""

    open_transactions: Mapping[int, int] | None = None
    """Where those began that are open at the end, by producer; None: no checked batch is in one."""


@dataclass(slots=True)
class LoadedLog:
    """The parts of a `Log`."""

    segments: list[Segment]
    log_start_offset: int
    flushed_offset: int
    snapshot_offsets: set[int]
    unsynced_folders: Sequence[str]
    lacks_topic_id: bool
    report: RecoveryReport


def load(
    files: Files,
    folder: str,
    config: LogConfig,
    *,
    was_clean: bool,
    recovery_point: int,
    log_start_offset: int,
    compacted_end: int = 0,
    now_ms: int,
    flushed_offset: int | None = None,
    is_suspect: bool = False,
    on_read: OnRead | None = None,
) -> LoadedLog:
    """Open a folder, or make it. Raises OSError.

    `is_suspect`: what lies below the recovery point is checked, too.
    `compacted_end`: up to there compaction may have left gaps, whatever `config` says now.
    `flushed_offset`: with a recovery point that is the end of the log, how far that is durable.
    `on_read` is told how many bytes are read for the check.
    """
    try:
        names = files.list_files(folder)
    except FileNotFoundError:
        files.make_folder(folder)
        names = []
        is_new = True
    else:
        is_new = False
    if complete_swaps(files, folder, names):
        names = files.list_files(folder)
    names = _remove_leftovers(files, folder, names)
    found = [parsed for name in names if (parsed := layout.parse_segment_file(name)) is not None]
    segments = _segments(files, folder, config, found, now_ms)
    loaded = LoadedLog(
        segments=segments,
        log_start_offset=log_start_offset,
        flushed_offset=recovery_point if flushed_offset is None else flushed_offset,
        snapshot_offsets={base for base, suffix in found if suffix == layout.PRODUCER_SNAPSHOT},
        unsynced_folders=(folder, parent(folder)) if is_new else (),
        lacks_topic_id=layout.PARTITION_METADATA not in names,
        report=RecoveryReport(),
    )
    if not (was_clean and _trust(segments, recovery_point)):
        _recover(
            files,
            folder,
            loaded,
            recovery_point,
            gaps_until=max(compacted_end, log_start_offset),
            is_suspect=is_suspect,
            config=config,
            on_read=on_read,
        )
    _settle(files, folder, config, loaded, now_ms)
    _forget_wrong_snapshots(files, folder, loaded)
    return loaded


def _segments(
    files: Files,
    folder: str,
    config: LogConfig,
    found: Collection[layout.SegmentFile],
    created_ms: int,
) -> list[Segment]:
    """One for each `.log` file; each but the last ends where the next begins."""
    bases = sorted(base for base, suffix in found if suffix == layout.LOG)
    indexed = {base for base, suffix in found if suffix == layout.TRANSACTION_INDEX}
    segments = [
        Segment(
            files,
            folder,
            base,
            next_offset=bases[number + 1] if number + 1 < len(bases) else base,
            index_interval_bytes=config.index_interval_bytes,
            created_ms=created_ms,
        )
        for number, base in enumerate(bases)
    ]
    for segment in segments:
        if segment.base_offset in indexed:
            segment.open_transactions()
    return segments


def _remove_leftovers(files: Files, folder: str, names: Iterable[str]) -> list[str]:
    """Remove what an earlier run had given up; whatever is not known is left alone.

    What was deleted may be large, or about to be removed by who has deleted it.
    """
    kept, deleted = [], []
    for name in names:
        if name.endswith(layout.DELETED):
            deleted.append(join(folder, name))
        elif name.endswith((layout.CLEANED, layout.TEMPORARY)):
            files.remove(join(folder, name))
        else:
            kept.append(name)
    if deleted:
        files.in_background(lambda: remove_files(files, deleted))
    return kept


def _trust(segments: Sequence[Segment], end_offset: int) -> bool:
    """After a clean stop the recovery point is the end; False: that cannot be.

    What was aborted is written before its marker, which a power cut or a failure may have taken.
    """
    if not segments:
        return True
    if any(map(_is_too_large, segments)):
        return False
    active = segments[-1]
    if (end_offset > active.base_offset) != (active.size_bytes > 0):
        return False
    active.next_offset = max(end_offset, active.base_offset)
    index = active.transactions
    return index is None or index.end_offset <= active.next_offset


def _is_too_large(segment: Segment) -> bool:
    """No broker has written it: what is beyond the limit cannot be indexed, and is cut off."""
    return segment.size_bytes > layout.MAX_SEGMENT_BYTES


def _settle(
    files: Files, folder: str, config: LogConfig, loaded: LoadedLog, created_ms: int
) -> None:
    """Make the offsets agree; there is always an active segment, and it is not behind the start."""
    segments = loaded.segments
    if segments and segments[-1].next_offset < loaded.log_start_offset:
        for segment in segments:
            segment.close()
            for suffix in layout.SEGMENT_SUFFIXES:
                if files.exists(segment.path(suffix)):
                    files.remove(segment.path(suffix))
        segments.clear()
    if not segments:
        segment = create_segment(
            files, folder, loaded.log_start_offset, config=config, created_ms=created_ms
        )
        segment.file.close()
        segments.append(segment)
        loaded.unsynced_folders = loaded.unsynced_folders or (folder,)
    end_offset = segments[-1].next_offset
    loaded.log_start_offset = max(loaded.log_start_offset, segments[0].base_offset)
    loaded.flushed_offset = max(min(loaded.flushed_offset, end_offset), loaded.log_start_offset)


def _forget_wrong_snapshots(files: Files, folder: str, loaded: LoadedLog) -> None:
    """One beyond the end tells of batches that are gone: others will have their offsets.

    One before an empty log lacks what came behind it, and nobody can make up for that.
    """
    start, end = loaded.segments[0].base_offset, loaded.segments[-1].next_offset
    wrong = {one for one in loaded.snapshot_offsets if one > end or one < start == end}
    for offset in wrong:
        files.remove(join(folder, layout.segment_file(offset, layout.PRODUCER_SNAPSHOT)))
    loaded.snapshot_offsets -= wrong


def _recover(
    files: Files,
    folder: str,
    loaded: LoadedLog,
    recovery_point: int,
    *,
    gaps_until: int,
    is_suspect: bool,
    config: LogConfig,
    on_read: OnRead | None,
) -> None:
    """Check and index from the segment with the recovery point on, and sync what is good.

    With `write.caching` nobody was promised that: batches are left to the log's next sync. Between
    two segments of a log that is not compacted there is no gap: what was written to the first was
    lost with the power, and nothing of the second was acknowledged. Below the recovery point that
    cannot be: a segment is gone, and what is behind it stays.
    """
    report, segments = loaded.report, loaded.segments
    report.was_checked = True
    checked_from = 0 if is_suspect else recovery_point
    next_offset = 0
    snapshots = SidecarFiles(files, folder, set(loaded.snapshot_offsets)).latest_producers
    rebuilding = Rebuilding(segments, snapshots)
    for number, segment in enumerate(segments):
        is_last = number == len(segments) - 1
        if not is_last and segment.next_offset < checked_from and not _is_too_large(segment):
            next_offset = segment.next_offset
            continue
        if segment.base_offset < next_offset:
            result = Scan(0, next_offset, f"offset {segment.base_offset} comes again")
            _cut(files, folder, loaded, number, result)
            break
        following = segment.next_offset
        result = _scan_segment(segment, checked_from, report, rebuilding, on_read=on_read)
        is_gap = result.next_offset < following and not (is_last or config.is_compacted)
        if result.problem is None and is_gap and following > gaps_until:
            if following > recovery_point:
                result = result._replace(problem=f"nothing before offset {following}")
            else:
                report.holes.append(Hole(result.next_offset, following, segment.file.path))
        if result.problem is not None:
            _cut(files, folder, loaded, number, result)
            break
        segment.next_offset = result.next_offset if is_last else max(result.next_offset, following)
        next_offset = segment.next_offset
        data = segment.data_files()
        for file in () if config.write_caching else data:
            file.sync()
        indexes = () if is_last else finish_indexes(segment)
        for file in indexes:
            file.sync()
        for file in (*data, *indexes):
            file.close()
    report.open_transactions = rebuilding.open_transactions
    _note_loss(folder, loaded, recovery_point)
    if not config.write_caching:
        loaded.flushed_offset = layout.MAX_OFFSET
        if segments:
            files.sync_folder(folder)


def _note_loss(folder: str, loaded: LoadedLog, recovery_point: int) -> None:
    """What there is may be whole, and end before what was durable: files are gone, or shorter."""
    segments, cut = loaded.segments, loaded.report.cut
    end_offset = segments[-1].next_offset if segments else loaded.log_start_offset
    if max(end_offset, loaded.log_start_offset) >= recovery_point:
        return
    lost = f"batches up to offset {recovery_point} were durable, and are gone"
    if cut is not None:
        loaded.report.cut = cut._replace(reason=f"{cut.reason}; {lost}")
    else:
        path = segments[-1].file.path if segments else folder
        position = segments[-1].size_bytes if segments else 0
        loaded.report.cut = Cut(end_offset, path, position, lost, 0, ())


def finish_indexes(segment: Segment) -> Sequence[File]:
    """Write a checked segment's indexes as a closed one has them; return the files to sync.

    A full disk must not keep its records from being read: they are made anew then.
    """
    try:
        return segment.indexes.finish()
    except OSError as failure:
        if not is_full(failure):
            raise
        segment.indexes.discard()
        return ()


def _scan_segment(
    segment: Segment,
    recovery_point: int,
    report: RecoveryReport,
    rebuilding: Rebuilding,
    *,
    on_read: OnRead | None,
) -> Scan:
    position = segment.indexes.resume(recovery_point)
    next_offset = next(segment.walk(position)).base_offset if position else segment.base_offset
    epochs = report.leader_epochs
    rebuilding.begin(segment, next_offset)
    latest_epoch = epochs[-1].epoch if epochs else -1
    note, pread = segment.indexes.note, segment.file.pread

    def on_batch(position: int, header: BatchHeader) -> None:
        nonlocal latest_epoch
        first_offset = header.base_offset
        if header.attributes & TRANSACTIONAL_BIT:
            rebuilding.note(segment, position, header)
        size_bytes = header.batch_length + LENGTH_PREFIX_SIZE
        note(position, size_bytes, first_offset + header.last_offset_delta, header.max_timestamp)
        if header.partition_leader_epoch > latest_epoch:
            latest_epoch = header.partition_leader_epoch
            epochs.append(EpochStart(latest_epoch, first_offset))

    def read(position: int, size_bytes: int) -> bytes:
        if on_read is not None:
            on_read(size_bytes)
        return pread(position, size_bytes)

    result = scan(
        read,
        on_batch,
        position=position,
        next_offset=next_offset,
        size_bytes=segment.size_bytes,
        base_offset=segment.base_offset,
    )
    report.checked_bytes += result.position - position
    return result


def _cut(files: Files, folder: str, loaded: LoadedLog, number: int, result: Scan) -> None:
    """End the log where `result` says, in segment `number`."""
    segment, later = loaded.segments[number], loaded.segments[number + 1 :]
    is_repeated = segment.base_offset < result.next_offset and result.position == 0
    if is_repeated:
        later = [segment, *later]
        segment = loaded.segments[number - 1]
        result = Scan(segment.size_bytes, result.next_offset, result.problem)
    rest_bytes = segment.size_bytes - result.position
    cut_bytes = rest_bytes + sum(one.size_bytes for one in later)
    aside = []
    if rest_bytes and (any(one.size_bytes for one in later) or _has_whole_batch(segment, result)):
        aside.append(_copy_aside(files, folder, segment, result))
    for one in reversed(later):
        aside += _set_aside(files, folder, one)
    if rest_bytes:
        segment.truncate(result.position, result.next_offset)
        segment.indexes.rebuild()
    segment.next_offset = result.next_offset
    for file in segment.data_files():
        file.sync()
    del loaded.segments[loaded.segments.index(segment) + 1 :]
    loaded.report.cut = Cut(
        result.next_offset,
        segment.file.path,
        result.position,
        result.problem or "",
        cut_bytes,
        tuple(aside),
    )


def _has_whole_batch(segment: Segment, result: Scan) -> bool:
    data = segment.file.pread(result.position, SEARCH_BYTES)
    return find_batch(data, 0, result.next_offset) is not None if len(data) > HEADER_SIZE else False


def _copy_aside(files: Files, folder: str, segment: Segment, result: Scan) -> str:
    path = _free_name(files, folder, result.next_offset)
    copy = files.open(path)
    position = result.position
    while position < segment.size_bytes:
        data = segment.file.pread(position, SCAN_BYTES)
        copy.append((data,), len(data))
        position += len(data)
    copy.sync()
    copy.close()
    files.sync_folder(folder)
    return path


def _set_aside(files: Files, folder: str, segment: Segment) -> list[str]:
    """Take a whole segment out of the log; an empty one leaves nothing behind."""
    aside = []
    if segment.size_bytes:
        aside.append(_free_name(files, folder, segment.base_offset))
        files.replace(segment.path(layout.LOG), aside[0])
    segment.close()
    for suffix in layout.SEGMENT_SUFFIXES:
        if files.exists(segment.path(suffix)):
            files.remove(segment.path(suffix))
    return aside


def _free_name(files: Files, folder: str, offset: int) -> str:
    count = 0
    while files.exists(join(folder, layout.aside_file(offset, count))):
        count += 1
    return join(folder, layout.aside_file(offset, count))


def replay(
    segments: Sequence[Segment],
    from_offset: int,
    on_batch: Callable[[BatchHeader, memoryview], None],
) -> None:
    """Show every batch from the one with `from_offset` on."""
    for segment in segments:
        if segment.next_offset > from_offset:
            start = segment.locate(max(from_offset, segment.base_offset))
            for header, batch in walk_whole(segment.file, start):
                on_batch(header, batch)
