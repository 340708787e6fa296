"""Which segments are deleted, and how. The plan is pure; carrying it out is dull.

A segment goes when retention by time, by size or the log start allows it, oldest first, and never
beyond the high watermark. Deleting is a rename to `.deleted` now and an unlink after
`file.delete.delay.ms`. Source: Kafka's `UnifiedLog.deleteOldSegments`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import islice
from typing import NamedTuple

from godel.clock import Clock
from godel.errors import CorruptBatch
from godel.storage import layout
from godel.storage.batch_walk import walk
from godel.storage.files import Files, join
from godel.storage.log_config import LogConfig
from godel.storage.segment import Segment
from godel.storage.time_index import TimeIndex

UNINDEXED_BATCHES = 100
"""A log without index files has hardly more (`SegmentIndexes.need_no_files`)."""


class Reason(Enum):
    """Why a segment is deleted."""

    TIME = "retention.ms"
    SIZE = "retention.bytes"
    LOG_START = "log start"


class SegmentFacts(NamedTuple):
    """What the plan needs to know of a segment."""

    base_offset: int
    next_offset: int
    size_bytes: int
    max_timestamp_ms: int
    """-1: no batch has a timestamp."""
    modified_ms: int
    """Takes the place of timestamps where there are none."""


class Deletion(NamedTuple):
    base_offset: int
    size_bytes: int
    reason: Reason


def facts(segment: Segment) -> SegmentFacts:
    """Read a segment's facts, without loading its indexes."""
    timestamp_ms = segment.largest_timestamp[0] if segment.size_bytes else -1
    modified_ms = segment.modified_ms() if timestamp_ms < 0 and segment.size_bytes else -1
    return SegmentFacts(
        segment.base_offset, segment.next_offset, segment.size_bytes, timestamp_ms, modified_ms
    )


def plan(
    segments: Sequence[SegmentFacts],
    config: LogConfig,
    *,
    now_ms: int,
    log_start_offset: int,
    upper_bound: int,
) -> list[Deletion]:
    """The oldest segments that are to go. All of them: the active one is to be rolled first."""
    excess_bytes = sum(segment.size_bytes for segment in segments) - config.retention_bytes
    is_size_bound = config.is_deleted and config.retention_bytes >= 0
    is_time_bound = config.is_deleted and config.retention_ms >= 0
    deletions: list[Deletion] = []
    for number, segment in enumerate(segments):
        is_active = number == len(segments) - 1
        if segment.next_offset > upper_bound or (is_active and segment.size_bytes == 0):
            break
        age_ms = now_ms - max(segment.max_timestamp_ms, segment.modified_ms)
        if is_time_bound and age_ms > config.retention_ms:
            reason = Reason.TIME
        elif is_size_bound and excess_bytes >= segment.size_bytes:
            reason = Reason.SIZE
        elif segment.next_offset <= log_start_offset:
            reason = Reason.LOG_START
        else:
            break
        excess_bytes -= segment.size_bytes
        deletions.append(Deletion(segment.base_offset, segment.size_bytes, reason))
    return deletions


def outdated(
    segments: Sequence[Segment],
    config: LogConfig,
    *,
    now_ms: int,
    log_start_offset: int,
    upper_bound: int,
) -> list[Deletion]:
    """The plan for a log. Raises OSError.

    No CRC covers the time index: what it says of a segment that would go is held against the batch
    that it names, and nothing is deleted for a flipped bit.
    """

    def planned() -> list[Deletion]:
        return plan(
            [facts(segment) for segment in segments],
            config,
            now_ms=now_ms,
            log_start_offset=log_start_offset,
            upper_bound=upper_bound,
        )

    found = planned()
    going = zip(segments, found, strict=False)
    old = [segment for segment, deletion in going if deletion.reason is Reason.TIME]
    is_confirmed = [segment.confirm_largest_timestamp() for segment in old]
    return found if all(is_confirmed) else planned()


def is_due(
    files: Files,
    folder: str,
    config: LogConfig,
    *,
    now_ms: int,
    log_start_offset: int,
    end_offset: int,
) -> bool:
    """Whether `plan` would find something in a log that is closed, judged by its oldest segment.

    Looks at the folder and at one index entry, or at the few batches of a log without an index, so
    that ten thousand idle logs need not be opened for it. In doubt yes, and for what is left to be
    removed. Raises OSError.
    """
    names = files.list_files(folder)
    if any(name.endswith(layout.DELETED) for name in names):
        return True
    found = [parsed for name in names if (parsed := layout.parse_segment_file(name)) is not None]
    bases = sorted(base for base, suffix in found if suffix == layout.LOG)
    sizes = [files.size(join(folder, layout.segment_file(base, layout.LOG))) for base in bases]
    if not sizes or (len(sizes) == 1 and sizes[0] == 0):
        return False
    if (bases[1] if len(bases) > 1 else end_offset) <= log_start_offset:
        return True
    if config.is_deleted and 0 <= config.retention_bytes <= sum(sizes) - sizes[0]:
        return True
    if not config.is_deleted or config.retention_ms < 0:
        return False
    return now_ms - _newest_ms(files, folder, bases[0]) > config.retention_ms


def _newest_ms(files: Files, folder: str, base_offset: int) -> int:
    """The largest timestamp of a closed segment; where there is none, when it was written to."""
    entry = TimeIndex.ENTRY
    file = files.open(join(folder, layout.segment_file(base_offset, layout.TIME_INDEX)))
    path = join(folder, layout.segment_file(base_offset, layout.LOG))
    timestamp_ms = 0
    if file.size >= entry.size:
        data = file.pread(file.size - entry.size, entry.size)
        file.close()
        timestamp_ms = entry.unpack(data)[0]
    elif not file.size:
        timestamp_ms = _walked_newest_ms(files, path)
    return timestamp_ms if timestamp_ms > 0 else files.modified_ms(path)


def _walked_newest_ms(files: Files, path: str) -> int:
    """The largest timestamp of a few batches; -1: they are none, many, or damaged."""
    file = files.open(path)
    try:
        times = [one.max_timestamp for one in islice(walk(file), UNINDEXED_BATCHES + 1)]
    except CorruptBatch:
        return -1
    finally:
        file.close()
    return max(times, default=-1) if len(times) <= UNINDEXED_BATCHES else -1


def delete(files: Files, segment: Segment, *, clock: Clock, delay_ms: float) -> None:
    """Rename a segment's files, the log itself first, and have them unlinked after the delay.

    With the log the segment is gone, whatever becomes of its indexes. One that cannot be renamed
    stays: by the time of the unlinking its name may be that of a compacted copy's index.
    """
    going = []
    for suffix in layout.SEGMENT_SUFFIXES:
        path = segment.path(suffix)
        try:
            files.replace(path, path + layout.DELETED)
            going.append(path + layout.DELETED)
        except FileNotFoundError:
            continue
        except OSError:
            if suffix == layout.LOG:
                raise
    clock.call_later(delay_ms, lambda: files.in_background(lambda: remove_files(files, going)))


def remove_files(files: Files, paths: Iterable[str]) -> None:
    """Unlink. What cannot be removed now is a leftover for the next start."""
    for path in paths:
        with contextlib.suppress(OSError):
            files.remove(path)


def snapshot_path(folder: str, offset: int) -> str:
    return join(folder, layout.segment_file(offset, layout.PRODUCER_SNAPSHOT))
