"""Moves partitions between data directories, one at a time, while they are served.

The copying happens in a worker thread, in rounds, until little is left; the end, and the change of
the log under the partition, in one step on the event loop. A stop forgets the moves that have not
ended, and so does a failure: the partition stays where it is, and may be moved again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock
from godel.errors import StorageFailed
from godel.storage.data_directory import DataDirectory
from godel.storage.files import Files, join
from godel.storage.relocation import Relocation
from godel.types import TopicPartition

Result = TypeVar("Result")

SMALL_BYTES = 1 << 20
"""So much may be left for the end."""
SWAP_CHECKS, SWAP_CHECK_MS = 300, 100.0


class Mover:
    """Owner of the moves. `run` is one task of the event loop."""

    def __init__(
        self,
        files: Files,
        *,
        clock: Clock,
        take_over: Callable[[Relocation], None],
        suspect: Callable[[DataDirectory, Exception], None],
        log: FilteringBoundLogger,
    ) -> None:
        """`take_over` lets a copy that is whole but for little take the log's place; `suspect` is
        told of directories that may have failed.
        """
        self.moves: dict[TopicPartition, Relocation] = {}
        """What is to be done, in this order; at most one a partition."""
        self._files = files
        self._worker_files = files if files.is_inline else files.another()
        self._clock = clock
        self._take_over = take_over
        self._suspect = suspect
        self._log = log
        self._has_work = asyncio.Event()

    def ask(self, move: Relocation) -> None:
        self.cancel(move.partition)
        self.moves[move.partition] = move
        self._has_work.set()

    def cancel(self, partition: TopicPartition) -> None:
        """It stays where it is, or is deleted. What was copied is removed."""
        move = self.moves.pop(partition, None)
        if move is not None:
            move.is_cancelled = True
            move.log.is_moving = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self.moves:
                move = next(iter(self.moves.values()))
                await self._move(move)
                if self.moves.get(move.partition) is move:
                    del self.moves[move.partition]

    async def _move(self, move: Relocation) -> None:
        partition, to = str(move.partition), move.target.path
        failure: Exception | None = None
        try:
            await self._bring_over(move)
        except (OSError, StorageFailed) as error:
            failure = error
        move.log.is_moving = False
        left = join(move.source.path, move.future.other.name) if move.is_decided else move.folder
        try:
            await self._call(self._remove, left)
        except OSError as error:
            self._log.warning("move_left_behind", folder=left, reason=str(error))
        if failure is not None and not move.is_cancelled:
            for directory in (move.source, move.target):
                self._suspect(directory, failure)
            self._log.error("move_failed", partition=partition, to=to, reason=str(failure))
        elif move.is_decided:
            self._log.info("partition_moved", partition=partition, to=to, bytes=move.size_bytes)

    async def _bring_over(self, move: Relocation) -> None:
        log = move.log
        await self._after_swap(move)
        log.is_moving = not move.is_cancelled
        while not move.is_cancelled:
            await self._run(move.copy(self._worker_files, move.parts()), move)
            committed = log.committed(log.end_offset)
            if committed is not None:
                await committed
            if move.left_bytes <= SMALL_BYTES:
                break
        if not move.is_cancelled:
            self._take_over(move)

    async def _after_swap(self, move: Relocation) -> None:
        """Compaction is changing segments: that is soon over, or never when it has failed."""
        for _ in range(SWAP_CHECKS):
            if not move.log.is_swapping:
                return
            await self._clock.sleep(SWAP_CHECK_MS)
        raise StorageFailed(f"{move.log.folder} is half compacted; start the broker again first")

    def _remove(self, folder: str) -> None:
        if self._worker_files.exists(folder):
            self._worker_files.remove_folder(folder)

    async def _run(self, steps: Generator[int, None, None], move: Relocation) -> None:
        while not move.is_cancelled and await self._call(next, steps, None) is not None:
            pass
        await self._call(steps.close)

    async def _call(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self._files.is_inline:
            await asyncio.sleep(0)
            return work(*arguments)
        return await asyncio.to_thread(work, *arguments)
