"""The asynchronous part of every coordinator, written once: append, apply, answer, wake, timers.

A shard is one partition of an internal topic with the state machine that lives in it. `write` runs
a pure `decide`, appends its records as one batch, applies them at append and answers when they are
committed, as Kafka's `CoordinatorRuntime` does: also a decision without records waits for the
records before it, so no answer tells what a power cut could take back. An append that fails
answers an error and changes nothing. Everything up to the append happens in one step of the event
loop, so the loop itself is the mailbox.

A shard is `LOADING` while its partition is replayed, then `LIVE`; `FAILED` when the replay or a
commit failed: its memory no longer is what the log says, and it answers NOT_COORDINATOR.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from inspect import isawaitable
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar, cast

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Timer
from godel.coordinator.decision import Decision, Instant, Parked, Wake
from godel.coordinator.replay import committed_records
from godel.errors import ApiError, CorruptBatch, DecodeError, ErrorCode, StorageFailed
from godel.records.builder import build_batch
from godel.types import Buffer

Reply = TypeVar("Reply")
Record = TypeVar("Record")

TIMER_DECISIONS_MAX = 100
"""Deadlines acted on before the event loop gets its turn again."""
REPLAY_RECORDS_MAX = 1_000
"""Records replayed before the event loop gets its turn again."""

ERRORS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.MESSAGE_TOO_LARGE,
}
"""What clients of a coordinator are told about its log."""


class CoordinatorLog(Protocol):
    """A coordinator's partition, as far as its coordinator cares."""

    def append(self, batch: bytes) -> int:
        """Append one batch; return the next offset. Raises `ApiError` or `StorageFailed`."""
        ...

    def committed(self, offset: int) -> Awaitable[None] | None:
        """Wait until everything below `offset` is committed; None: it is already.

        Raises `ApiError` or `StorageFailed` when it never will be.
        """
        ...

    def replay(self) -> Iterable[Buffer]:
        """All batches from the log's start to its end; one or more whole batches a piece.

        Read piece by piece as the loading goes on. Raises what reading raises.
        """
        ...


class StateMachine(Protocol[Record]):
    """What lives in a shard. Pure; the methods that requests need are its own affair."""

    def encode(self, record: Record) -> tuple[bytes, bytes | None]: ...

    def decode(self, key: bytes, value: bytes | None) -> Record | None:
        """None: a record of a kind that this machine does not know."""
        ...

    def apply(self, record: Record) -> None: ...

    def loaded(self, now: Instant) -> None: ...

    def next_deadline_ms(self) -> float | None:
        """On the monotonic clock. May be too early, never too late."""
        ...

    def expire(self, now: Instant) -> Decision[None, Record] | None: ...


Machine = TypeVar("Machine", bound=StateMachine[Any])


class ShardState(Enum):
    """See the module's docstring."""

    LOADING = "loading"
    LIVE = "live"
    FAILED = "failed"


@dataclass(slots=True)
class ParkedRequest:
    """A request that waits for a later decision. Answered with a reply and the offset behind it."""

    woken: asyncio.Future[tuple[object, int]]
    refuse: Callable[[ErrorCode], object]


@dataclass(slots=True)
class Shard(Generic[Machine]):
    """One coordinator partition. Changed by the runtime only."""

    partition: int
    log: CoordinatorLog
    machine: Machine
    state: ShardState = ShardState.LOADING
    next_offset: int = 0
    """Behind the last record appended by this process; what an answer waits for."""
    parked: dict[int, ParkedRequest] = field(default_factory=dict)
    replay: Iterator[Any] | None = None
    replayed: int = 0
    deferred: list[Callable[[], None]] = field(default_factory=list)
    """What the broker asked for while the shard was loading."""
    timer: Timer | None = None
    timer_ms: float = 0.0


class CoordinatorRuntime(Generic[Machine]):
    """The shards of one coordinator, on one event loop."""

    def __init__(
        self,
        clock: Clock,
        *,
        new_machine: Callable[[], Machine],
        open_log: Callable[[int], CoordinatorLog],
        commit_timeout_ms: int,
        parked_max: int,
        log: FilteringBoundLogger,
    ) -> None:
        self.shards: dict[int, Shard[Machine]] = {}
        self._clock = clock
        self._new_machine = new_machine
        self._open_log = open_log
        self._commit_timeout_ms = commit_timeout_ms
        self._parked_max = parked_max
        self._log = log

    # -- life ---------------------------------------------------------------------------------

    def load(self, partitions: Iterable[int]) -> None:
        """Begin to replay the partitions that have no shard yet, a piece a turn of the event loop.

        A request for one that has not had its turn does a piece itself, so that nobody is turned
        away from a short log.
        """
        for partition in partitions:
            if partition not in self.shards:
                shard = Shard(partition, self._open_log(partition), self._new_machine())
                shard.replay = committed_records(shard.log.replay(), shard.machine.decode)
                self.shards[partition] = shard
        self._load_more()

    def close(self) -> None:
        """Send everyone who waits to look for the coordinator again."""
        for shard in self.shards.values():
            self._fail(shard)

    def unload(self) -> None:
        """The log of this coordinator has been deleted: what it said is gone, too."""
        self.close()
        self.shards.clear()

    def _load_more(self) -> None:
        loading = (s for s in self.shards.values() if s.state is ShardState.LOADING)
        shard = next(loading, None)
        if shard is not None:
            self._clock.call_later(0, self._load_more)
            self._load_piece(shard)

    def _load_piece(self, shard: Shard[Machine]) -> None:
        assert shard.replay is not None
        before = shard.replayed
        try:
            for record in islice(shard.replay, REPLAY_RECORDS_MAX):
                if record is not None:
                    shard.machine.apply(record)
                shard.replayed += 1
        except (CorruptBatch, DecodeError, StorageFailed, ApiError) as failure:
            self._log.error(
                "coordinator_load_failed", partition=shard.partition, reason=str(failure)
            )
            self._fail(shard)
            return
        if shard.replayed - before == REPLAY_RECORDS_MAX:
            return
        shard.replay = None
        shard.machine.loaded(self.now())
        shard.state = ShardState.LIVE
        self._arm(shard)
        for deferred in shard.deferred:
            deferred()
        shard.deferred.clear()
        if shard.replayed:
            self._log.info("coordinator_loaded", partition=shard.partition, records=shard.replayed)

    # -- requests -----------------------------------------------------------------------------

    def now(self) -> Instant:
        return Instant(self._clock.now_ms(), self._clock.monotonic_ms())

    def live(self) -> list[Shard[Machine]]:
        """The shards that are loaded."""
        return [shard for shard in self.shards.values() if shard.state is ShardState.LIVE]

    def shard(self, partition: int) -> Shard[Machine]:
        """Raises `ApiError`: NOT_COORDINATOR, or COORDINATOR_LOAD_IN_PROGRESS while loading."""
        shard = self.shards.get(partition)
        if shard is None:
            raise ApiError(ErrorCode.NOT_COORDINATOR)
        if shard.state is ShardState.LOADING:
            self._load_piece(shard)
        if shard.state is ShardState.FAILED:
            raise ApiError(ErrorCode.NOT_COORDINATOR)
        if shard.state is ShardState.LOADING:
            raise ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return shard

    def write(
        self,
        partition: int,
        decide: Callable[[Machine, Instant], Decision[Reply, Any]],
        refuse: Callable[[ErrorCode], Reply],
        *,
        may_park: bool = False,
    ) -> Reply | Awaitable[Reply]:
        """Decide, append, apply, answer. `refuse` makes the answer out of an error.

        `may_park` is said by the requests that bring a new one to wait: those that can release
        others must get through when there is no room to wait.
        """
        try:
            shard = self.shard(partition)
        except ApiError as refusal:
            return refuse(refusal.code)
        if may_park and len(shard.parked) >= self._parked_max:
            return refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        now = self.now()
        decision = decide(shard.machine, now)
        error = self._execute(shard, decision, now)
        self._arm(shard)
        if error is not ErrorCode.NONE:
            return refuse(error)
        if isinstance(decision.reply, Parked):
            return self._park(shard, decision.reply.ticket, refuse)
        return self._when_committed(shard, shard.next_offset, decision.reply, refuse)

    def repeat(
        self, partition: int, decide: Callable[[Machine, Instant], Decision[bool, Any]]
    ) -> None:
        """The broker's own wish: again while the decision says True, after the loading if need be.

        Nobody waits for it. A failed append ends it.
        """
        shard = self.shards.get(partition)
        if shard is None or shard.state is ShardState.FAILED:
            return
        if shard.state is ShardState.LOADING:
            shard.deferred.append(lambda: self.repeat(partition, decide))
            return
        now = self.now()
        decision = decide(shard.machine, now)
        if self._execute(shard, decision, now) is ErrorCode.NONE and decision.reply is True:
            self._clock.call_later(0, lambda: self.repeat(partition, decide))

    def read(
        self,
        partition: int,
        look: Callable[[Machine], Reply],
        refuse: Callable[[ErrorCode], Reply],
    ) -> Reply | Awaitable[Reply]:
        """Answer from the state, once what it shows is committed."""
        try:
            shard = self.shard(partition)
        except ApiError as refusal:
            return refuse(refusal.code)
        return self._when_committed(shard, shard.next_offset, look(shard.machine), refuse)

    def _execute(
        self, shard: Shard[Machine], decision: Decision[Any, Any], now: Instant
    ) -> ErrorCode:
        """Append and apply, or undo; then wake. The one way in which durable state changes."""
        if decision.records:
            try:
                batch = build_batch(
                    [shard.machine.encode(record) for record in decision.records],
                    timestamp_ms=now.wall_ms,
                )
                shard.next_offset = shard.log.append(batch)
            except (ApiError, StorageFailed) as failure:
                if decision.undo is not None:
                    decision.undo()
                error = coordinator_error(failure)
                self._log.warning(
                    "coordinator_append_failed", partition=shard.partition, error=error.name
                )
                return error
            for record in decision.records:
                shard.machine.apply(record)
        for wake in decision.wake:
            self._wake(shard, wake)
        return ErrorCode.NONE

    def _wake(self, shard: Shard[Machine], wake: Wake) -> None:
        """The one who waited may be gone."""
        parked = shard.parked.pop(wake.ticket, None)
        if parked is not None and not parked.woken.done():
            parked.woken.set_result((wake.reply, shard.next_offset))

    def _park(
        self, shard: Shard[Machine], ticket: int, refuse: Callable[[ErrorCode], Reply]
    ) -> Awaitable[Reply]:
        parked = ParkedRequest(asyncio.get_running_loop().create_future(), refuse)
        shard.parked[ticket] = parked
        return self._parked_reply(shard, ticket, parked)

    async def _parked_reply(self, shard: Shard[Machine], ticket: int, parked: ParkedRequest) -> Any:
        try:
            reply, offset = await parked.woken
        finally:
            shard.parked.pop(ticket, None)
        answer = self._when_committed(shard, offset, reply, parked.refuse)
        return await answer if isawaitable(answer) else answer

    # -- commits ------------------------------------------------------------------------------

    def _when_committed(
        self,
        shard: Shard[Machine],
        offset: int,
        reply: Reply,
        refuse: Callable[[ErrorCode], Reply],
    ) -> Reply | Awaitable[Reply]:
        if shard.state is ShardState.FAILED:
            return refuse(ErrorCode.NOT_COORDINATOR)
        try:
            committed = shard.log.committed(offset)
        except (ApiError, StorageFailed) as failure:
            return refuse(self._commit_failed(shard, failure))
        if committed is None:
            return reply
        return self._after(shard, committed, reply, refuse)

    async def _after(
        self,
        shard: Shard[Machine],
        committed: Awaitable[None],
        reply: Reply,
        refuse: Callable[[ErrorCode], Reply],
    ) -> Reply:
        try:
            await self._within_timeout(committed)
        except (ApiError, StorageFailed) as failure:
            return refuse(self._commit_failed(shard, failure))
        return reply

    def _commit_failed(self, shard: Shard[Machine], failure: ApiError | StorageFailed) -> ErrorCode:
        """Memory is ahead of a log that will not follow; a late commit is only told as such."""
        error = coordinator_error(failure)
        if error is not ErrorCode.COORDINATOR_NOT_AVAILABLE and shard.state is ShardState.LIVE:
            self._log.error("coordinator_failed", partition=shard.partition, reason=str(failure))
            self._fail(shard)
        return error

    async def _within_timeout(self, committed: Awaitable[None]) -> None:
        """Raises what the wait raises, or REQUEST_TIMED_OUT. Leaves a shared future alone."""
        waiting = asyncio.ensure_future(committed)
        expired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(
            self._commit_timeout_ms, lambda: None if expired.done() else expired.set_result(None)
        )
        try:
            await asyncio.wait({waiting, expired}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise ApiError(ErrorCode.REQUEST_TIMED_OUT)
            waiting.result()
        finally:
            timer.cancel()
            if waiting is not committed:
                waiting.cancel()

    def _fail(self, shard: Shard[Machine]) -> None:
        shard.state = ShardState.FAILED
        if shard.timer is not None:
            shard.timer.cancel()
            shard.timer = None
        for parked in list(shard.parked.values()):
            if not parked.woken.done():
                parked.woken.set_result((parked.refuse(ErrorCode.NOT_COORDINATOR), 0))
        shard.parked.clear()

    # -- timers -------------------------------------------------------------------------------

    def _arm(self, shard: Shard[Machine]) -> None:
        """One timer a shard, for the earliest deadline; one that fires too early does no harm."""
        if shard.state is not ShardState.LIVE:
            return
        deadline_ms = shard.machine.next_deadline_ms()
        if deadline_ms is None or (shard.timer is not None and shard.timer_ms <= deadline_ms):
            return
        if shard.timer is not None:
            shard.timer.cancel()
        shard.timer_ms = deadline_ms
        delay_ms = max(deadline_ms - self._clock.monotonic_ms(), 0.0)
        shard.timer = self._clock.call_later(delay_ms, lambda: self._expire(shard))

    def _expire(self, shard: Shard[Machine]) -> None:
        shard.timer = None
        if shard.state is not ShardState.LIVE:
            return
        for _ in range(TIMER_DECISIONS_MAX):
            now = self.now()
            decision = shard.machine.expire(now)
            if decision is None:
                break
            self._execute(shard, decision, now)
        self._arm(shard)


def coordinator_error(failure: ApiError | StorageFailed) -> ErrorCode:
    if isinstance(failure, StorageFailed):
        return ErrorCode.NOT_COORDINATOR
    return ERRORS.get(failure.code, failure.code)


def gather(replies: Sequence[Reply | Awaitable[Reply]]) -> list[Reply] | Awaitable[list[Reply]]:
    """The answers of several shards as one, at once when all are there."""
    if not any(isawaitable(reply) for reply in replies):
        return cast("list[Reply]", list(replies))

    async def wait() -> list[Reply]:
        return [await reply if isawaitable(reply) else reply for reply in replies]

    return wait()


def then(
    reply: Reply | Awaitable[Reply], finish: Callable[[Reply], Record]
) -> Record | Awaitable[Record]:
    """`finish(reply)`, at once when the reply is there."""
    if not isawaitable(reply):
        return finish(reply)

    async def wait() -> Record:
        return finish(await cast("Awaitable[Reply]", reply))

    return wait()
