"""Runs compactions, one at a time: the slow parts in a worker thread, the swaps on the loop.

The worker thread contends with the loop for the interpreter and the CPU more than for the disk. So
it works in short steps, rests as long as it works, and lets acknowledgements that wait for a sync
go first.

A log that cannot be compacted is left as it is and out of later rounds (Kafka: "uncleanable"); it
goes on being written and read. Files in memory are worked on on the spot, in turns. Besides the
flusher's, the only asyncio of `storage/`. Source: Kafka's `LogCleaner`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from godel.clock import Clock
from godel.records.partition_log import CleanerLimits, ProducerEntry
from godel.storage import compaction, layout
from godel.storage.compaction import CompactionFacts, Dirt, Round, Source
from godel.storage.files import Files
from godel.storage.flusher import Flusher
from godel.storage.log import Log
from godel.storage.segment import Segment
from godel.storage.segment_copy import fill_keys, remove_copy, segment_path, write_copy
from godel.storage.swap import copy_paths, rename_copy

Result = TypeVar("Result")

REST = 1.0
"""A compaction rests so many times as long as a step took until the loop heard of it: half the time
it leaves the interpreter alone, more where the loop has much to do."""

PATIENCE = 4.0
"""A compaction waits at most so many times as long for a round of the flusher to end, which counts
as rest: however busy or slow the disk, it works a fifth of the time."""

LATE_MS = 2.0
"""So late a timer may ring; what a rest was longer than it should be, the next one is shorter."""


class Abandoned(Exception):
    """The log has changed under a compaction, or is closed: nothing is wrong, nothing was done."""


class Compacted(NamedTuple):
    """What a compaction came to."""

    clean_offset: int
    """Everything below is free of superseded records."""
    passes: int
    bytes_before: int
    bytes_after: int


def compaction_facts(segment: Segment) -> CompactionFacts:
    """Read a segment's facts, without loading its indexes. Raises OSError, `CorruptBatch`."""
    if not segment.size_bytes:
        return CompactionFacts(segment.base_offset, segment.next_offset, 0, -1, -1)
    timestamp_ms = segment.largest_timestamp[0]
    return CompactionFacts(
        segment.base_offset,
        segment.next_offset,
        segment.size_bytes,
        timestamp_ms if timestamp_ms >= 0 else segment.modified_ms(),
        segment.load_first_timestamp(),
    )


def dirt_of(log: Log, clean_offset: int | None, *, upper_bound: int, now_ms: int) -> Dirt | None:
    """How dirty a log is below `upper_bound`, of what is durable. Raises OSError."""
    closed = log.segments[:-1]
    if log.failure is not None or log.is_swapping or log.is_moving or not closed:
        return None
    first_dirty_offset = compaction.first_dirty(
        clean_offset, log.log_start_offset, log.segments[-1].base_offset
    )
    return compaction.dirt(
        [compaction_facts(segment) for segment in closed],
        log.config,
        first_dirty_offset=first_dirty_offset,
        upper_bound=min(upper_bound, log.flushed_offset),
        now_ms=now_ms,
    )


@dataclass(slots=True)
class _Pace:
    """Keeps the bytes per second of one compaction below a limit."""

    clock: Clock
    bytes_per_second: float
    _began_ms: float = 0.0
    _paid_bytes: int = 0

    def begin(self) -> None:
        self._began_ms, self._paid_bytes = self.clock.monotonic_ms(), 0

    def delay_ms(self, more_bytes: int) -> float:
        self._paid_bytes += more_bytes
        due_ms = self._began_ms + self._paid_bytes / self.bytes_per_second * 1000
        return due_ms - self.clock.monotonic_ms()


class Cleaner:
    """One per log store. `compact` runs on the event loop, once at a time."""

    def __init__(self, files: Files, clock: Clock, flusher: Flusher) -> None:
        self._files = files
        self._flusher = flusher
        self._worker_files = files if files.is_inline else files.another()
        self._clock = clock
        self._executor: ThreadPoolExecutor | None = None
        self._is_closed = False

    async def compact(
        self,
        log: Log,
        found: Dirt,
        *,
        limits: CleanerLimits,
        producers: Sequence[ProducerEntry],
        on_progress: Callable[[int], None],
    ) -> Compacted:
        """Compact what was found dirty, in as many passes as the key map needs.

        `on_progress` is told how far the log is clean after each pass. Raises `Abandoned`, and
        OSError or `CorruptBatch` when the log cannot be compacted.
        """
        pace = _Pace(self._clock, limits.max_bytes_per_second)
        pace.begin()
        before_bytes, passes, clean_offset = log.size_bytes, 0, found.first_dirty_offset
        while clean_offset < found.end_offset:
            this_round = Round.begin(
                clean_offset,
                memory_bytes=limits.dedupe_buffer_bytes,
                now_ms=self._clock.now_ms(),
                config=log.config,
                producers=producers,
                aborted=log.aborted_transactions(log.segments[0].base_offset, found.end_offset),
            )
            await self._pass(log, found.end_offset, this_round, pace)
            clean_offset = this_round.end_offset
            passes += 1
            on_progress(clean_offset)
        return Compacted(clean_offset, passes, before_bytes, log.size_bytes)

    async def _pass(self, log: Log, end_offset: int, this_round: Round, pace: _Pace) -> None:
        segments = [one for one in log.segments[:-1] if one.next_offset <= end_offset]
        sources = await self._call(self._measure, log.folder, _extents(segments))
        reading = fill_keys(self._worker_files, log.folder, sources, this_round)
        await self._run(reading, pace, log, segments)
        touched = [one for one in sources if one.base_offset < this_round.end_offset]
        by_base = {one.base_offset: one for one in segments}
        for group in compaction.grouped(touched, log.config):
            old = [by_base[source.base_offset] for source in group]
            try:
                copying = write_copy(
                    self._worker_files, log.folder, group, this_round=this_round, config=log.config
                )
                await self._run(copying, pace, log, old)
                await self._swap(log, old)
            except BaseException:
                if not log.is_swapping:
                    with contextlib.suppress(OSError):
                        remove_copy(self._files, log.folder, group[0].base_offset)
                raise

    def _measure(self, folder: str, extents: Sequence[tuple[int, int, int]]) -> list[Source]:
        def size(base_offset: int, suffix: str) -> int:
            path = segment_path(folder, base_offset, suffix)
            return self._worker_files.size(path) if self._worker_files.exists(path) else 0

        return [
            Source(
                *extent, size(extent[0], layout.OFFSET_INDEX), size(extent[0], layout.TIME_INDEX)
            )
            for extent in extents
        ]

    async def _swap(self, log: Log, old: Sequence[Segment]) -> None:
        """See `swap.py`. Where it fails half way, the next start completes it."""
        self._check(log, old)
        base_offset = old[0].base_offset
        log.is_swapping = True
        try:
            rename_copy(
                self._files, log.folder, base_offset, before=layout.CLEANED, after=layout.SWAP
            )
            await self._call(self._worker_files.sync_folder, log.folder)
            self._check(log, old)
        except (OSError, Abandoned):
            self._undo_swap(log, base_offset)
            raise
        copy = Segment(
            self._files,
            log.folder,
            base_offset,
            next_offset=old[-1].next_offset,
            index_interval_bytes=log.config.index_interval_bytes,
            created_ms=old[0].created_ms,
            ending=layout.SWAP,
        )
        if self._files.exists(copy.path(layout.TRANSACTION_INDEX)):
            copy.open_transactions()
        log.replace_segments(old, copy)
        await self._call(self._worker_files.sync_folder, log.folder)
        self._check(log, [copy])
        rename_copy(self._files, log.folder, base_offset, before=layout.SWAP, after="")
        copy.renamed(before=layout.SWAP, after="")
        await self._call(self._worker_files.sync_folder, log.folder)
        log.is_swapping = False

    def _undo_swap(self, log: Log, base_offset: int) -> None:
        """None of the copies may be left under a name that the next start believes."""
        for path in reversed(copy_paths(log.folder, base_offset, layout.SWAP)):
            if self._files.exists(path):
                self._files.remove(path)
        log.is_swapping = False

    def _check(self, log: Log, segments: Sequence[Segment] = ()) -> None:
        if self._is_closed or log.failure is not None:
            raise Abandoned(f"{log.folder} is closed")
        if log.is_moving and not log.is_swapping:
            raise Abandoned(f"{log.folder} is moved")
        there = set(map(id, log.segments))
        if not all(id(segment) in there for segment in segments):
            raise Abandoned(f"{log.folder} has lost segments")

    async def _run(
        self, steps: Iterator[int], pace: _Pace, log: Log, needed: Sequence[Segment]
    ) -> None:
        """Go through the steps in the worker thread, no faster than allowed, with rests between."""
        owed_ms = 0.0
        while True:
            began_ms = self._clock.monotonic_ms()
            try:
                done_bytes = await self._call(_next, steps)
            except OSError:
                self._check(log, needed)  # retention may have taken them away
                raise
            if done_bytes is None:
                return
            ended_ms = self._clock.monotonic_ms()
            took_ms = ended_ms - began_ms
            owed_ms += took_ms * REST
            delay_ms = max(pace.delay_ms(done_bytes), owed_ms)
            if delay_ms >= 1:
                await self._clock.sleep(delay_ms)
            await self._flusher.let_pass(took_ms * PATIENCE)
            owed_ms = max(owed_ms - (self._clock.monotonic_ms() - ended_ms), -LATE_MS)
            self._check(log)

    async def _call(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self._files.is_inline:
            await asyncio.sleep(0)
            return work(*arguments)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="godel-cleaner")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, work, *arguments)

    def close(self) -> None:
        """End the worker thread: what it is at, at most one step, is waited for."""
        self._is_closed = True
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None


def _next(steps: Iterator[int]) -> int | None:
    return next(steps, None)


def _extents(segments: Sequence[Segment]) -> list[tuple[int, int, int]]:
    return [(one.base_offset, one.next_offset, one.size_bytes) for one in segments]
