"""Group commit: one sync round at a time for all logs of the process.

A log that has something to sync asks; the round that starts on the loop's next turn takes every log
that has asked until then, syncs each file once in a worker thread (one hop per round), and reports
back on the loop. What is asked for meanwhile goes into the next round. Files in memory are synced
on the spot.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple, Protocol

from godel.clock import Clock, SystemClock
from godel.errors import StorageFailed
from godel.metrics import Histogram
from godel.storage.files import File, Files


class SyncPlan(NamedTuple):
    """What must reach the disk so that a log is durable up to an offset. The files are pinned."""

    files: Sequence[File]
    folders: Sequence[str]
    up_to: int


def pin(files: Sequence[File]) -> None:
    """Pin all of them or, when one cannot be opened (OSError), none."""
    pinned: list[File] = []
    try:
        for file in files:
            file.pin()
            pinned.append(file)
    except OSError:
        for file in pinned:
            file.unpin()
        raise


class Unsynced:
    """What a log has written and not synced yet."""

    __slots__ = ("files", "folders")

    def __init__(self, folders: Iterable[str]) -> None:
        self.files: dict[File, None] = {}
        self.folders: dict[str, None] = dict.fromkeys(folders)

    def __bool__(self) -> bool:
        return bool(self.files or self.folders)

    def add(self, *files: File) -> None:
        self.files.update(dict.fromkeys(files))

    def add_folders(self, *folders: str) -> None:
        self.folders.update(dict.fromkeys(folders))

    def forget(self, files: Iterable[File]) -> None:
        for file in files:
            self.files.pop(file, None)

    def plan(self, up_to: int) -> SyncPlan:
        """Hand out all of it, pinned. Raises OSError."""
        plan = SyncPlan(tuple(self.files), tuple(self.folders), up_to)
        pin(plan.files)
        self.files.clear()
        self.folders.clear()
        return plan


class Syncable(Protocol):
    """A log, as the flusher sees it."""

    def begin_sync(self) -> SyncPlan | None:
        """Hand out and pin what is unsynced; None: nothing is, or the log is gone."""
        ...

    def end_sync(self, plan: SyncPlan, failure: OSError | None) -> None:
        """Unpin; move the flushed offset, or fence. May ask for the next sync."""
        ...


class Synced(NamedTuple):
    """How a plan went."""

    failure: OSError | None
    took_s: float


def sync(files: Files, plan: SyncPlan, clock: Clock) -> Synced:
    """Carry a plan out. Runs in a worker thread for real files."""
    began_s = clock.elapsed_s()
    failure = _sync(files, plan)
    return Synced(failure, clock.elapsed_s() - began_s)


def _sync(files: Files, plan: SyncPlan) -> OSError | None:
    try:
        for file in plan.files:
            file.sync()
        for folder in plan.folders:
            files.sync_folder(folder)
    except OSError as failure:
        return failure
    return None


def sync_all(files: Files, plans: Iterable[SyncPlan], clock: Clock) -> list[Synced]:
    """Carry plans out, one after the other. Runs in a worker thread."""
    return [sync(files, plan, clock) for plan in plans]


Told = Callable[[list[Synced] | Exception], None]

LOGS_PER_ROUND = 64
"""A round pins the files of its logs: ten thousand at once would leave nobody a descriptor."""


LOGS_AT_ONCE = 8
"""So many one thread syncs in a row where many logs are flushed: the loop has its turn soon."""

MANY_LOGS = 1_000
"""So many are worth the writing of a whole volume, which others on it wait for, too."""


class Round(Enum):
    """Where the rounds of a flusher are. It alone changes this, on its loop."""

    NONE = "nobody has asked since the last one"
    DUE = "one begins on the loop's next turn"
    UNDER_WAY = "the thread syncs"
    NO_MORE = "the flusher is closed"


class Flusher:
    """One per process and event loop. `times` gets the duration of every sync."""

    def __init__(
        self, files: Files, *, clock: Clock | None = None, times: Histogram | None = None
    ) -> None:
        self._files = files
        self._clock = clock or SystemClock()
        self._times = times or Histogram()
        self._asking: dict[Syncable, None] = {}
        self._round = Round.NONE
        self._under_way = 0
        """What threads have to sync, for a round or for `flush_all`."""
        self._all_ended = asyncio.Event()
        self._letting_pass: dict[asyncio.Future[None], None] = {}
        self._thread: SyncThread | None = None
        self.rounds = 0
        self._written_bytes = 0
        self._wanted_bytes = sys.maxsize
        self._is_enough_written = asyncio.Event()

    # How much is written

    def note_written(self, size_bytes: int) -> None:
        """So much was appended to some log."""
        self._written_bytes += size_bytes
        if self._written_bytes >= self._wanted_bytes:
            self._is_enough_written.set()

    async def written(self, size_bytes: int) -> None:
        """Return when so much was appended to all logs together since this returned last."""
        self._wanted_bytes = size_bytes
        if self._written_bytes < size_bytes:
            self._is_enough_written.clear()
            await self._is_enough_written.wait()
        self._written_bytes = 0

    # Syncs

    def request(self, log: Syncable) -> None:
        """Take the log into the next round. Without one to come it waits for `flush_now`.

        That is without a running loop, and once this is closed.
        """
        if self._round is Round.NO_MORE:
            return
        self._asking[log] = None
        if self._round is Round.NONE:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._round = Round.DUE
            loop.call_soon(self._start_round)

    @property
    def is_inline(self) -> bool:
        return self._files.is_inline

    def flush_now(self, log: Syncable) -> None:
        """Sync one log before returning: for files in memory, for closing and for recovery."""
        self._asking.pop(log, None)
        plan = log.begin_sync()
        if plan is not None:
            self.rounds += 1
            self._end(log, plan, sync(self._files, plan, self._clock))

    def _end(self, log: Syncable, plan: SyncPlan, synced: Synced) -> None:
        self._times.observe(synced.took_s)
        log.end_sync(plan, synced.failure)

    async def flush_all(
        self, logs: Sequence[Syncable], *, threads: int, volumes: Iterable[str] = ()
    ) -> None:
        """Sync many logs beside the rounds, several at a time: the disk takes them together.

        `volumes`: paths on those that they are on, where it may be worth writing all at once.
        Who is cancelled waits for no sync that is under way; `close` does.
        """
        if self._files.is_inline:
            for log in logs:
                self.flush_now(log)
            return
        executor = ThreadPoolExecutor(threads, "godel-flush-all")
        try:
            if len(logs) >= MANY_LOGS:
                loop = asyncio.get_running_loop()
                for path in volumes:
                    await loop.run_in_executor(executor, self._files.write_back, path)
            waiting = deque(logs)
            await asyncio.gather(*(self._flush_each(waiting, executor) for _ in range(threads)))
        finally:
            executor.shutdown(wait=False)

    async def _flush_each(self, waiting: deque[Syncable], executor: ThreadPoolExecutor) -> None:
        while waiting:
            plans: list[tuple[Syncable, SyncPlan]] = []
            while waiting and len(plans) < LOGS_AT_ONCE:
                log = waiting.popleft()
                self._asking.pop(log, None)
                if (plan := log.begin_sync()) is not None:
                    plans.append((log, plan))
            await asyncio.shield(self._carry_out(plans, executor))
            await asyncio.sleep(0)

    def _carry_out(
        self, plans: Sequence[tuple[Syncable, SyncPlan]], executor: ThreadPoolExecutor
    ) -> asyncio.Future[list[Synced]]:
        """Sync in a thread, and tell the logs; whoever waits for it, they are told before."""
        done = asyncio.get_running_loop().run_in_executor(
            executor, sync_all, self._files, [plan for _, plan in plans], self._clock
        )
        self._began()
        done.add_done_callback(lambda _: self._end_all(plans, done))
        return done

    def _end_all(
        self, plans: Sequence[tuple[Syncable, SyncPlan]], done: asyncio.Future[list[Synced]]
    ) -> None:
        try:
            if not done.cancelled():
                for (log, plan), synced in zip(plans, done.result(), strict=True):
                    self._end(log, plan, synced)
        finally:
            self._ended()

    def _began(self) -> None:
        self._under_way += 1
        self._all_ended.clear()

    def _ended(self) -> None:
        """The logs were told of a sync in a thread."""
        self._under_way -= 1
        if not self._under_way:
            self._all_ended.set()

    def forget(self, log: Syncable) -> None:
        """The log is closed: it no longer waits for a round."""
        self._asking.pop(log, None)

    async def close(self) -> None:
        """Wait for the syncs under way and end the worker thread.

        What is asked for besides is left to those who close the logs, before this or after it.
        """
        self._round = Round.NO_MORE
        self._asking.clear()
        while self._under_way:
            await self._all_ended.wait()
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    async def let_pass(self, at_most_ms: float) -> None:
        """Return when the round under way, if any, has ended and been reported, or after so long.

        For work that can wait, and would keep acknowledgements waiting.
        """
        if self._round is Round.UNDER_WAY:
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._letting_pass[ended] = None
            timer = self._clock.call_later(at_most_ms, partial(_settle, ended))
            try:
                await ended
            finally:
                timer.cancel()
                self._letting_pass.pop(ended, None)

    def _start_round(self) -> None:
        if self._round is Round.NO_MORE:
            return
        self._round = Round.NONE
        if self._files.is_inline:
            asking, self._asking = self._asking, {}
            for log in asking:
                self.flush_now(log)
            return
        plans: list[tuple[Syncable, SyncPlan]] = []
        while self._asking and len(plans) < LOGS_PER_ROUND:
            log = next(iter(self._asking))
            del self._asking[log]
            if (plan := log.begin_sync()) is not None:
                plans.append((log, plan))
        if not plans:
            return
        self.rounds += 1
        if self._thread is None:
            self._thread = SyncThread(self._files, self._clock)
        self._round = Round.UNDER_WAY
        self._began()
        self._thread.sync([plan for _, plan in plans], partial(self._finish_round, plans))

    def _finish_round(
        self, plans: Sequence[tuple[Syncable, SyncPlan]], outcome: list[Synced] | Exception
    ) -> None:
        if self._round is Round.UNDER_WAY:
            self._round = Round.NONE
        try:
            if isinstance(outcome, Exception):
                raise outcome
            for (log, plan), synced in zip(plans, outcome, strict=True):
                self._end(log, plan, synced)
        finally:
            self._ended()
            while self._letting_pass:  # behind those who have waited for the round itself
                _settle(self._letting_pass.popitem()[0])
            if self._asking and self._round is Round.NONE:
                self._start_round()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class SyncThread:
    """The worker thread of the rounds, beside the event loop that makes this.

    An executor would do, at twice the price: it puts a future and several locks around each round,
    and a round is as short as one sync.
    """

    def __init__(self, files: Files, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._wanted: SimpleQueue[tuple[Sequence[SyncPlan], Told] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="godel-flusher", daemon=True)
        self._thread.start()

    def sync(self, plans: Sequence[SyncPlan], told: Told) -> None:
        """Have the plans carried out; `told` hears on the loop how they went."""
        self._wanted.put((plans, told))

    def end(self) -> None:
        """Return when the thread has ended."""
        self._wanted.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            plans, told = wanted
            outcome: list[Synced] | Exception
            try:
                outcome = sync_all(self._files, plans, self._clock)
            except Exception as bug:  # noqa: BLE001  # it is raised on the loop
                outcome = bug
            try:
                self._loop.call_soon_threadsafe(told, outcome)
            except RuntimeError:  # the loop is closed
                return


class FlushWaiters:
    """Those who wait until a log is flushed up to their offset, in the order of the offsets."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, offset: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting
        place = len(waiting)
        while place and waiting[place - 1][0] > offset:
            place -= 1
        waiting.insert(place, (offset, future))
        return future

    def flushed(self, offset: int) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] <= offset:
            future = waiting.popleft()[1]
            if not future.done():
                future.set_result(None)

    def fail(self, reason: str) -> None:
        while self._waiting:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_exception(StorageFailed(reason))


def failed_future(reason: str) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(StorageFailed(reason))
    return future
