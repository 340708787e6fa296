"""Being a member of a consumer group: joining, heartbeats, sharing, committing, leaving.

The classic protocol (JoinGroup, SyncGroup, Heartbeat), eager for `range` and `roundrobin`,
cooperative (KIP-429) for `cooperative-sticky`. Heartbeats run beside the reading, on a lane of
their own, because a fetch blocks its connection. A rebalance happens inside `poll`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup

from godel.client.assignment import (
    Assignments,
    Subscription,
    assign_cooperative,
    assign_range,
    assign_round_robin,
    decode_assignment,
    decode_subscription,
    encode_assignment,
    encode_subscription,
)
from godel.client.cluster import Cluster, check
from godel.client.connection import ConnectionFailed
from godel.client.fetching import Reader, StoredBatch
from godel.client.groups import CONSUMER_PROTOCOL, commit_offsets, committed_offsets, remove_members
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from godel.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from godel.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from godel.types import TopicPartition

LANE = "group"
SESSION_TIMEOUT_MS = 45_000
REBALANCE_TIMEOUT_MS = 300_000
HEARTBEAT_MS = 3_000
COMMIT_EVERY_MS = 5_000
PATIENCE_MS = 10_000
"""What a coordinator may take beyond the rebalance timeout."""


class Assignor(StrEnum):
    """How a leader shares partitions, by the names that members agree on."""

    RANGE = "range"
    ROUND_ROBIN = "roundrobin"
    COOPERATIVE = "cooperative-sticky"


ASSIGN: dict[str, Callable[[Mapping[str, Subscription], Mapping[str, int]], Assignments]] = {
    Assignor.RANGE: assign_range,
    Assignor.ROUND_ROBIN: assign_round_robin,
    Assignor.COOPERATIVE: assign_cooperative,
}

Positions: TypeAlias = Mapping[TopicPartition, int]
Start: TypeAlias = Callable[[Sequence[TopicPartition]], Awaitable[Positions]]
"""Where to begin in partitions for which the group has committed nothing."""

REJOIN = frozenset(
    {
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.UNKNOWN_MEMBER_ID,
    }
)


class Member:
    """A member of a group. Owns its generation, its assignment and what is to be committed.

    `async with` leaves the group at the end, after a last commit; a static member stays.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        *,
        start: Start,
        assignor: Assignor = Assignor.RANGE,
        instance_id: str | None = None,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
        committed_only: bool = False,
        commits: bool = True,
    ) -> None:
        self.id = ""
        self.generation = -1
        self.assigned: tuple[TopicPartition, ...] = ()
        self.rounds = 0
        """How often the group has shared partitions while this was a member."""
        self._cluster = cluster
        self._group = group
        self._topics = tuple(topics)
        self._start = start
        self._assignor = assignor
        self._instance_id = instance_id
        self._session_timeout_ms = session_timeout_ms
        self._committed_only = committed_only
        self._commits = commits
        self._reader: Reader | None = None
        self._must_join = True
        self._is_joining = False
        self._processed: dict[TopicPartition, int] = {}
        self._commit_due_ms = cluster.clock.monotonic_ms() + COMMIT_EVERY_MS
        self._beating: TaskGroup | None = None

    async def __aenter__(self) -> Member:
        self._beating = await anyio.create_task_group().__aenter__()
        self._beating.start_soon(self._beat)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._beating is not None
        self._beating.cancel_scope.cancel()
        try:
            await self._beating.__aexit__(None, None, None)
        finally:
            with anyio.move_on_after(PATIENCE_MS / 1000, shield=True):
                await self._leave()

    # -- reading ------------------------------------------------------------------------------

    async def poll(self) -> list[StoredBatch]:
        """What has come of the assigned partitions; rebalances and commits when it is time."""
        await self.hold()
        assert self._reader is not None
        return await self._reader.poll()

    async def hold(self) -> None:
        """Be a member: join if that is due, and commit if that is."""
        while self._must_join:
            self._is_joining = True
            try:
                await self._rebalance()
            finally:
                self._is_joining = False
        if self._cluster.clock.monotonic_ms() >= self._commit_due_ms:
            await self.commit()

    def processed(self, offsets: Positions) -> None:
        """What has been done with, by the next offset: this is what will be committed."""
        mine = set(self.assigned)
        self._processed |= {each: offset for each, offset in offsets.items() if each in mine}

    def stop_at(self, ends: Positions) -> bool:
        """Read assigned partitions no further than there; whether all of them are read so far.

        One without an end, which the topic got meanwhile, counts as read. With none assigned there
        is no telling: others may leave, or give some up.
        """
        if self._reader is None:
            return False
        self._reader.stop_at({each: ends.get(each, 0) for each in self.assigned})
        return bool(self.assigned) and not self._reader.positions

    async def commit(self) -> None:
        """Commit what was processed. A group that moves on meanwhile makes us join again."""
        self._commit_due_ms = self._cluster.clock.monotonic_ms() + COMMIT_EVERY_MS
        offsets, self._processed = self._processed, {}
        if not offsets or not self._commits:
            return
        outcomes = await commit_offsets(
            self._cluster,
            self._group,
            offsets,
            member_id=self.id,
            generation=self.generation,
        )
        for outcome in outcomes:
            if outcome.error is not None:
                self._take(outcome.error)

    # -- the group ----------------------------------------------------------------------------

    async def _rebalance(self) -> None:
        self._must_join = False
        if self.generation >= 0:
            await self.commit()
        cooperative = self._assignor is Assignor.COOPERATIVE
        owned = self.assigned if cooperative else ()
        try:
            joined = await self._cluster.retried(lambda: self._join(owned))
            assignment = await self._cluster.retried(lambda: self._sync(joined))
        except ApiError as error:
            self._take(error)
            return
        self.rounds += 1
        await self._assign(decode_assignment(assignment) if assignment else [])
        if cooperative and set(owned) - set(self.assigned):
            self._must_join = True  # what was given up can now be given to others

    async def _join(self, owned: Iterable[TopicPartition]) -> JoinGroupResponse:
        subscription = encode_subscription(Subscription(self._topics, tuple(owned)))
        request = JoinGroupRequest(
            group_id=self._group,
            session_timeout_ms=self._session_timeout_ms,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            member_id=self.id,
            group_instance_id=self._instance_id,
            protocol_type=CONSUMER_PROTOCOL,
            protocols=[JoinGroupRequestProtocol(self._assignor, subscription)],
        )
        answer = await self._cluster.ask_coordinator(
            self._group,
            request,
            JoinGroupResponse,
            lane=LANE,
            timeout_ms=REBALANCE_TIMEOUT_MS + PATIENCE_MS,
        )
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:  # KIP-394: come back with this id
            self.id = answer.member_id
            return await self._join(owned)
        check(answer.error_code)
        self.id, self.generation = answer.member_id, answer.generation_id
        return answer

    async def _sync(self, joined: JoinGroupResponse) -> bytes:
        assignments: list[SyncGroupRequestAssignment] = []
        if joined.leader == self.id and not joined.skip_assignment:
            assignments = await self._shares(joined)
        request = SyncGroupRequest(
            group_id=self._group,
            generation_id=self.generation,
            member_id=self.id,
            group_instance_id=self._instance_id,
            protocol_type=CONSUMER_PROTOCOL,
            protocol_name=joined.protocol_name,
            assignments=assignments,
        )
        answer = await self._cluster.ask_coordinator(
            self._group,
            request,
            SyncGroupResponse,
            lane=LANE,
            timeout_ms=REBALANCE_TIMEOUT_MS + PATIENCE_MS,
        )
        check(answer.error_code)
        return answer.assignment

    async def _shares(self, joined: JoinGroupResponse) -> list[SyncGroupRequestAssignment]:
        """As the leader: everybody's part."""
        members = {each.member_id: decode_subscription(each.metadata) for each in joined.members}
        topics = sorted({topic for each in members.values() for topic in each.topics})
        metadata = await self._cluster.metadata(topics)
        counts = {each.name or "": len(each.partitions) for each in metadata.topics}
        assign = ASSIGN[joined.protocol_name or self._assignor]
        return [
            SyncGroupRequestAssignment(member, encode_assignment(partitions))
            for member, partitions in assign(members, counts).items()
        ]

    async def _assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read what was assigned: on where we are, else from the committed offset."""
        positions: dict[TopicPartition, int] = {}
        if self._reader is not None and self._assignor is Assignor.COOPERATIVE:
            kept = self._reader.positions
            positions = {each: kept[each] for each in partitions if each in kept}
        new = [each for each in partitions if each not in positions]
        if new:
            committed = await committed_offsets(self._cluster, self._group)
            positions |= {each: committed[each].offset for each in new if each in committed}
            rest = [each for each in new if each not in positions]
            positions |= await self._start(rest) if rest else {}
        self.assigned = tuple(sorted(partitions))
        self._processed = {
            each: offset for each, offset in self._processed.items() if each in positions
        }
        self._reader = Reader(self._cluster, positions, committed_only=self._committed_only)

    async def _beat(self) -> None:
        """Heartbeats, for as long as this is a member."""
        while True:
            await self._cluster.clock.sleep(min(HEARTBEAT_MS, self._session_timeout_ms / 3))
            if self.generation < 0 or self._must_join or self._is_joining:
                continue
            generation = self.generation
            request = HeartbeatRequest(
                group_id=self._group,
                generation_id=generation,
                member_id=self.id,
                group_instance_id=self._instance_id,
            )
            try:
                answer = await self._cluster.ask_coordinator(
                    self._group, request, HeartbeatResponse
                )
            except (ConnectionFailed, ApiError):
                continue  # the next one may come through; the session timeout is the limit
            if self._is_joining or generation != self.generation:
                continue  # overtaken by a round: the join says how things are
            if answer.error_code:
                self._must_join = True
                if answer.error_code == ErrorCode.UNKNOWN_MEMBER_ID:
                    self._forget()

    def _take(self, error: ApiError) -> None:
        """Join again after errors that ask for it; raise the others."""
        if error.code not in REJOIN:
            raise error
        self._must_join = True
        if error.code is ErrorCode.UNKNOWN_MEMBER_ID:
            self._forget()

    def _forget(self) -> None:
        """The group has given us up: whoever comes back is somebody new and owns nothing."""
        self.id, self.generation, self.assigned = "", -1, ()
        self._processed.clear()

    async def _leave(self) -> None:
        if self.generation < 0:
            return
        try:
            await self.commit()
            if self._instance_id is None:
                reason = "the consumer is being closed"
                await remove_members(self._cluster, self._group, [(self.id, None)], reason=reason)
        except (ConnectionFailed, ApiError):
            return  # the session timeout does it
