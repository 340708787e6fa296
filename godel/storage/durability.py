"""How far one log has reached the disk: its flushed offset, what is unsynced, who waits, the fence.

    flushed <= end

A durable log asks for a sync after every append that finds none asked for; a cached one after
`flush.messages`, `flush.ms` or `CACHED_BYTES`. The `Flusher` carries it out and reports back. A
failed write or sync fences the log: from there on nothing is written or acknowledged until the next
start. A full disk refuses a write and has fenced nothing: what it left of the write is cut off
before the next.

The indexes of the active segment lie in memory; a log is settled once they are on disk, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from godel.clock import Clock, Timer
from godel.errors import DiskFull, StorageFailed
from godel.storage.files import File, is_full, lacks_descriptors
from godel.storage.flusher import Flusher, FlushWaiters, SyncPlan, Unsynced, failed_future
from godel.storage.layout import MAX_OFFSET
from godel.storage.log_config import LONGEST_TIMER_MS, LogConfig
from godel.storage.segment import Segment

CACHED_BYTES = 4 << 20
"""After so many bytes a cached log is synced although nobody waits for it.

File systems that choose a file's blocks when they write it out (ext4, xfs) hold its writers back
meanwhile, and may have to read their own map first, behind all that they are writing. With 128 MiB
at once, acknowledgements waited 40 ms for that.
"""

UNSETTLED = -1


class Durability:
    """Of one `Log`, which owns this and tells it what it has written. The flusher's `Syncable`."""

    __slots__ = (
        "_clock",
        "_closed_from",
        "_config",
        "_flush_timer",
        "_flusher",
        "_folder",
        "_is_durable",
        "_is_sync_asked",
        "_settled_offset",
        "_syncing",
        "_syncing_from",
        "_unsynced",
        "_unsynced_bytes",
        "_waiters",
        "active",
        "end_offset",
        "fails_late",
        "failure",
        "flushed_offset",
        "on_error",
        "on_flushed",
    )

    def __init__(
        self,
        folder: str,
        active: Segment,
        *,
        flusher: Flusher,
        clock: Clock,
        config: LogConfig,
        flushed_offset: int,
        unsynced_folders: Iterable[str],
        is_settled: bool,
    ) -> None:
        self._folder = folder
        self._flusher = flusher
        self._clock = clock
        self._config = config
        self._is_durable = not config.write_caching
        self._unsynced = Unsynced(unsynced_folders)
        self._unsynced_bytes = 0
        """Of batches, since the last sync began. Those that recovery found do not count."""
        self._waiters = FlushWaiters()
        self._is_sync_asked = False
        self._closed_from = self._syncing_from = MAX_OFFSET
        """Where the first segment begins that was closed since the last sync began, and before."""
        self._syncing: list[SyncPlan] = []
        self._flush_timer: Timer | None = None
        self.active = active
        """Its file is in every sync."""
        self.end_offset = active.next_offset
        self.flushed_offset = flushed_offset
        self._settled_offset = self.end_offset if is_settled else UNSETTLED
        self.failure: str | None = None
        """Why the log is fenced or closed."""
        self.on_flushed: Callable[[], None] | None = None
        self.on_error: Callable[[OSError], None] | None = None
        """Told whatever the disk refuses."""
        self.fails_late = False
        """Whether it has failed in the middle of an answer."""

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to sync, and no sync under way."""
        has_batches = self.end_offset > self.flushed_offset
        return not (has_batches or self._unsynced or self._syncing)

    def configure(self, config: LogConfig) -> None:
        if config.flush_ms != self._config.flush_ms:
            self._stop_timer()
        self._config = config
        self._is_durable = not config.write_caching
        if self.failure is not None or self.end_offset == self.flushed_offset:
            return
        if self._is_durable:
            self.ask_for_sync()
        else:
            self._note_cached()

    # What the log has done

    def written(self, end_offset: int, size_bytes: int) -> None:
        """The active segment has batches up to here, the last one of this size."""
        self.end_offset = end_offset
        self._unsynced_bytes += size_bytes
        self._flusher.note_written(size_bytes)
        if not self._is_durable:
            self._note_cached()
        elif not self._is_sync_asked:
            self.ask_for_sync()

    def _note_cached(self) -> None:
        """`flush.messages` and `flush.ms`, and not too much at once."""
        if (
            self._unsynced_bytes >= CACHED_BYTES
            or self.end_offset - self.flushed_offset >= self._config.flush_messages
        ):
            if not self._is_sync_asked:
                self.ask_for_sync()
        elif self._flush_timer is None and self._config.flush_ms <= LONGEST_TIMER_MS:
            self._flush_timer = self._clock.call_later(self._config.flush_ms, self._flush_is_due)

    def _flush_is_due(self) -> None:
        self._flush_timer = None
        if self.failure is None and self.end_offset > self.flushed_offset:
            self.ask_for_sync()

    def add(self, *files: File) -> None:
        """These were written, too; the next sync takes them along."""
        self._unsynced.add(*files)

    def rolled(self, closed: Segment, active: Segment, *files: File) -> None:
        """Another segment is active; `files` are the finished indexes of the one that was."""
        self.add(closed.file, *files)
        self._closed_from = min(self._closed_from, closed.base_offset)
        self.active = active
        self._settled_offset = UNSETTLED
        self.ask_for_sync()

    @property
    def recovery_point(self) -> int:
        """Segments that end below it are synced with their indexes; nothing needs to be checked."""
        return min(self.flushed_offset, self._closed_from, self._syncing_from)

    def add_folders(self, *folders: str) -> None:
        """Names have changed in these folders."""
        self._unsynced.add_folders(*folders)

    def forget(self, files: Iterable[File]) -> None:
        """They were deleted."""
        self._unsynced.forget(files)

    def forget_paths(self, paths: Collection[str]) -> None:
        """What had these names was deleted."""
        self._unsynced.forget([file for file in self._unsynced.files if file.path in paths])

    def passed(self, offset: int) -> None:
        """What lies below was deleted and nobody waits for it any more.

        The active segment has it all the same, and is not idle before its file is synced: a power
        cut may leave anything in the place of batches that are not.
        """
        if offset > self.flushed_offset:
            self._unsynced.add(self.active.file)
            self.flushed_offset = offset

    # Those who wait

    def committed(self, offset: int) -> Awaitable[None] | None:
        """See `PartitionLog.committed`."""
        if offset <= self.flushed_offset:
            return None
        if self.failure is None and self._flusher.is_inline:
            self._flusher.flush_now(self)
            if offset <= self.flushed_offset:
                return None
        if self.failure is not None:
            return failed_future(self.failure)
        self.ask_for_sync()
        return self._waiters.add(offset)

    def flush(self) -> None:
        """Sync what is unsynced before returning. Raises `StorageFailed`."""
        if self.failure is None:
            self._flusher.flush_now(self)
        if self.failure is not None:
            raise StorageFailed(self.failure)

    def ask_for_sync(self) -> None:
        self._is_sync_asked = True
        self._flusher.request(self)

    # The flusher's side

    def begin_sync(self) -> SyncPlan | None:
        """See `Syncable`.

        Where another sync is under way, this one takes along what that one has not brought home: it
        may end first, and speaks for everything below its offset.
        """
        self._is_sync_asked = False
        active, has_batches = self.active, self.end_offset > self.flushed_offset
        if self.failure is not None or not (has_batches or self._unsynced):
            return None
        if has_batches:
            self._unsynced.add(active.file)
        for earlier in self._syncing:
            self._unsynced.add(*earlier.files)
            self._unsynced.add_folders(*earlier.folders)
        try:
            plan = self._unsynced.plan(self.end_offset)
        except OSError as failure:
            self.fence("sync", failure)
            return None
        active.remember(self.end_offset, active.size_bytes)
        self._unsynced_bytes = 0
        self._syncing_from = min(self._syncing_from, self._closed_from)
        self._closed_from = MAX_OFFSET
        self._syncing.append(plan)
        return plan

    def end_sync(self, plan: SyncPlan, failure: OSError | None) -> None:
        """See `Syncable`."""
        self._syncing = [one for one in self._syncing if one is not plan]
        for file in plan.files:
            file.unpin()
            if file is not self.active.file:
                file.close()  # a closed segment's, a snapshot: whoever reads it opens it again
        if self.failure is not None:
            return
        if failure is not None:
            self.fence("sync", failure)
            return
        if not self._syncing:
            self._syncing_from = MAX_OFFSET
        if plan.up_to > self.flushed_offset:
            self.flushed_offset = plan.up_to
            assert plan.up_to <= self.end_offset, f"{self._folder}: {plan.up_to} was not written"
            self._waiters.flushed(plan.up_to)
            if self.on_flushed is not None:
                self.on_flushed()
        if self.end_offset > self.flushed_offset and (self._is_durable or self._waiters):
            self.ask_for_sync()

    # Settling

    @property
    def is_settled(self) -> bool:
        """Whether all of the log is on disk, indexes included."""
        return self._settled_offset == self.end_offset and self.is_idle

    def finish(self) -> None:
        """Write the indexes as a closed segment has them; they go with the next sync.

        Raises `StorageFailed`.
        """
        if self.failure is None and not self.is_settled:
            indexes = self.active.indexes
            with self.writing("index"):
                if not indexes.need_no_files:
                    self.add(*indexes.finish())

    def settled(self, end_offset: int) -> None:
        """All that was finished and not synced when the log ended there is on disk."""
        if self.failure is None and end_offset == self.end_offset:
            self._settled_offset = end_offset

    def settle(self) -> None:
        """Have everything on disk before returning. Raises `StorageFailed`."""
        self.flush()
        self.finish()
        self.flush()
        self.settled(self.end_offset)

    # What the disk refuses, and the end

    def refuse(self, action: str, failure: Exception) -> StorageFailed:
        """A write failed that has left the log as it was.

        Fences it unless there was no space, or no descriptor.
        """
        if not (is_full(failure) or lacks_descriptors(failure)):
            return self.fence(action, failure)
        self.tell(failure)
        kind = DiskFull if is_full(failure) else StorageFailed
        return kind(f"{self._folder}: {action} failed: {failure}")

    @contextmanager
    def writing(self, action: str) -> Iterator[None]:
        """What leaves the log as it was when the disk refuses it. Raises `StorageFailed`."""
        try:
            yield
        except OSError as failure:
            raise self.refuse(action, failure) from failure

    def tell(self, failure: BaseException) -> None:
        """Pass on what the disk refused."""
        if self.on_error is not None and isinstance(failure, OSError):
            self.on_error(failure)

    def tell_late(self, failure: OSError) -> None:
        """As `tell`, of what an answer had promised already."""
        self.fails_late = True
        self.tell(failure)

    def fence(self, action: str, failure: Exception) -> StorageFailed:
        """Nothing is written or acknowledged from here on."""
        self.tell(failure)
        if self.failure is None:
            self.failure = f"{self._folder}: {action} failed: {failure}"
            self._stop_waiting()
            if self.on_flushed is not None:
                self.on_flushed()
        return StorageFailed(self.failure)

    def abandon(self, reason: str) -> None:
        """The log lets go of its files, whatever is synced."""
        self.failure = self.failure or f"{self._folder}: {reason}"
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        assert self.failure is not None
        self._flusher.forget(self)
        self._waiters.fail(self.failure)
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
