"""Disks for tests of the whole broker, and a stand-in for the threads that work on them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from godel.clock import Clock, Randomness
from godel.storage.faulty_files import Fault, FaultyFiles, Kind, Operation
from godel.storage.files import Files
from godel.storage.flusher import SyncPlan, SyncThread, Told, sync_all

DURABLE = {"write.caching": False}
"""An embedded broker caches unless it is told not to."""

PATIENCE_S = 10.0


class SlowDisk(FaultyFiles):
    """Syncs of segments run in the flusher's thread and wait there, one turn for each `let`."""

    is_inline = False

    def __init__(self) -> None:
        super().__init__(faults=self._wait)
        self._turns = threading.Semaphore(0)
        self._begun = threading.Semaphore(0)
        self._is_held = False

    def hold(self) -> None:
        """From now on, syncs wait."""
        self._turns = threading.Semaphore(0)  # without the turns that an earlier `let_all` has left
        self._is_held = True

    def let(self) -> None:
        """Let one sync through."""
        self._turns.release()

    def let_all(self) -> None:
        """Let those go that wait, and hold none any more."""
        self._is_held = False
        self._turns.release(1000)

    def sync_has_begun(self) -> bool:
        """Wait until one more sync than was asked for before is waiting."""
        return self._begun.acquire(timeout=PATIENCE_S)

    def _wait(self, operation: Operation) -> Fault | None:
        if self._is_held and operation.kind is Kind.SYNC and operation.path.endswith(".log"):
            self._begun.release()
            assert self._turns.acquire(timeout=PATIENCE_S), "nobody let the sync through"
        return None

    def after_crash(self, randomness: Randomness | None = None) -> FaultyFiles:
        disk = super().after_crash(randomness)
        self.let_all()  # what still waits there concerns nobody
        return disk


class LoopExecutor:
    """In the place of a worker thread: does what it is given on the event loop, some turns later.

    What happens between requests is then decided by nothing but their order.
    """

    TURNS = 3

    def __init__(self, _workers: int = 1, thread_name_prefix: str = "") -> None:
        self._given: deque[Callable[[], None]] = deque()

    def submit(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        future = _LoopFuture(self)

        def carry_out() -> None:
            try:
                future.set_result(work(*arguments))
            except Exception as failure:  # noqa: BLE001  # it is raised where the work is awaited
                future.set_exception(failure)

        self._given.append(carry_out)
        self._wait(self.TURNS)
        return future

    def _wait(self, turns: int) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._wait, turns - 1)
        elif self._given:
            self._given.popleft()()

    def shutdown(self, *, wait: bool = True) -> None:
        while self._given:
            self._given.popleft()()

    def __enter__(self) -> LoopExecutor:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.shutdown()


class LoopSyncs(SyncThread):
    """The same in the place of the flusher's thread."""

    def __init__(self, files: Files, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._executor = LoopExecutor()

    def sync(self, plans: Sequence[SyncPlan], told: Told) -> None:
        done = self._executor.submit(sync_all, self._files, plans, self._clock)
        done.add_done_callback(lambda _: told(done.exception() or done.result()))

    def end(self) -> None:
        self._executor.shutdown()


class _LoopFuture(Future[Any]):
    """Whoever waits for it right there has the work done right there."""

    def __init__(self, executor: LoopExecutor) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._executor.shutdown()
        return super().result(timeout)
