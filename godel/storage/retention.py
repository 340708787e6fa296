"""Which segments are deleted, and how. The plan is pure; carrying it out is dull.

A segment goes when retention by time, by size or the log start allows it, oldest first, and never
beyond the high watermark. Deleting is a rename to `.deleted` now and an unlink after
`file.delete.delay.ms`. Source: Kafka's `UnifiedLog.deleteOldSegments`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from godel.clock import Clock
from godel.storage import layout
from godel.storage.files import Files, join
from godel.storage.log_config import LogConfig
from godel.storage.segment import Segment


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


def delete(files: Files, segment: Segment, *, clock: Clock, delay_ms: float) -> None:
    """Rename a segment's files, the log itself first, and have them unlinked after the delay."""
    renamed = []
    for suffix in layout.SEGMENT_SUFFIXES:
        path = segment.path(suffix)
        with contextlib.suppress(FileNotFoundError):
            files.replace(path, path + layout.DELETED)
            renamed.append(path + layout.DELETED)
    clock.call_later(delay_ms, lambda: remove_files(files, renamed))


def remove_files(files: Files, paths: Iterable[str]) -> None:
    """Unlink. What cannot be removed now is a leftover for the next start."""
    for path in paths:
        with contextlib.suppress(OSError):
            files.remove(path)


def snapshot_path(folder: str, offset: int) -> str:
    return join(folder, layout.segment_file(offset, layout.PRODUCER_SNAPSHOT))
