"""The face of the group coordinator: what the handlers call.

Finds the shard of a group and turns every trouble into the answer's own error field, so a caller
gets a reply, or something to await that gives one; nothing here raises `ApiError`. While a shard
loads, SyncGroup and Heartbeat answer what older clients understand, as Kafka does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from godel.clock import Clock, Randomness
from godel.coordinator.decision import Caller
from godel.coordinator.draft import GroupEnvironment, refuse_join
from godel.coordinator.group_shard import Exists, GroupShard
from godel.coordinator.offsets import FetchedTopics
from godel.coordinator.runtime import CoordinatorLog, CoordinatorRuntime, gather, then
from godel.coordinator.settings import GroupSettings
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.delete_groups import DeletableGroupResult
from godel.protocol.messages.describe_groups import DescribedGroup
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from godel.protocol.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from godel.protocol.messages.list_groups import ListedGroup
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from godel.protocol.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

GROUP_TYPE = "classic"
DEAD = "Dead"
GROUP_ID_NOT_FOUND_SINCE = 6
"""In DescribeGroups."""


class FetchedGroup(NamedTuple):
    """A group's committed offsets; None: nothing committed there."""

    group_id: str
    error_code: ErrorCode
    topics: FetchedTopics


class ListedGroups(NamedTuple):
    error_code: ErrorCode
    groups: list[ListedGroup]


class GroupCoordinator:
    """All groups of this broker. Owned by the `Broker`, used on its event loop only."""

    def __init__(
        self,
        settings: GroupSettings,
        *,
        clock: Clock,
        randomness: Randomness,
        open_log: Callable[[int], CoordinatorLog],
        partition_count: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        self._environment = GroupEnvironment(settings, randomness)
        self._partition_count = partition_count
        self._partitions = 0
        self._runtime: CoordinatorRuntime[GroupShard] = CoordinatorRuntime(
            clock,
            new_machine=lambda: GroupShard(self._environment),
            open_log=open_log,
            commit_timeout_ms=settings.offsets_commit_timeout_ms,
            parked_max=settings.parked_max,
            log=log,
        )

    # -- life ---------------------------------------------------------------------------------

    def load(self) -> None:
        """`__consumer_offsets` exists: begin to replay the partitions that are not loaded yet.

        Before that nothing is coordinated here: NOT_COORDINATOR. A shard whose replay goes on
        answers COORDINATOR_LOAD_IN_PROGRESS.
        """
        self._partitions = self._partition_count()
        self._runtime.load(range(self._partitions))

    def unload(self) -> None:
        """`__consumer_offsets` has been deleted, and all groups with it."""
        self._partitions = 0
        self._runtime.unload()

    def close(self) -> None:
        self._runtime.close()

    def configure(self, settings: GroupSettings) -> None:
        """Replace the settings; deadlines that run keep their length."""
        self._environment.settings = settings

    def partition_for(self, group_id: str) -> int:
        """The partition of `__consumer_offsets`: Java's hash of the id, without its sign bit."""
        return (java_hash(group_id) & 0x7FFFFFFF) % self._partitions if self._partitions else 0

    # -- membership ---------------------------------------------------------------------------

    def join_group(
        self, request: JoinGroupRequest, caller: Caller
    ) -> JoinGroupResponse | Awaitable[JoinGroupResponse]:
        if not request.group_id:
            return refuse_join(request.member_id, ErrorCode.INVALID_GROUP_ID)
        return self._runtime.write(
            self.partition_for(request.group_id),
            lambda shard, now: shard.join(request, caller, now),
            lambda code: refuse_join(request.member_id, _unexpected_size(code)),
            may_park=True,
        )

    def sync_group(
        self, request: SyncGroupRequest
    ) -> SyncGroupResponse | Awaitable[SyncGroupResponse]:
        if not request.group_id:
            return SyncGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID)
        return self._runtime.write(
            self.partition_for(request.group_id),
            lambda shard, now: shard.sync(request, now),
            lambda code: SyncGroupResponse(
                error_code=(
                    ErrorCode.REBALANCE_IN_PROGRESS
                    if code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
                    else _unexpected_size(code)
                )
            ),
        )

    def heartbeat(self, request: HeartbeatRequest) -> ErrorCode:
        """Answers at once, whatever waits to be committed."""
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        try:
            shard = self._runtime.shard(self.partition_for(request.group_id))
        except ApiError as refusal:
            is_loading = refusal.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
            return ErrorCode.NONE if is_loading else refusal.code
        return shard.machine.heartbeat(request, self._runtime.now())

    def leave_group(
        self, request: LeaveGroupRequest, caller: Caller
    ) -> LeaveGroupResponse | Awaitable[LeaveGroupResponse]:
        if not request.group_id:
            return LeaveGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID)
        return self._runtime.write(
            self.partition_for(request.group_id),
            lambda shard, now: shard.leave(request, caller, now),
            lambda code: LeaveGroupResponse(error_code=_unexpected_size(code)),
        )

    # -- offsets ------------------------------------------------------------------------------

    def commit_offsets(
        self, request: OffsetCommitRequest, caller: Caller, exists: Exists
    ) -> OffsetCommitResponse | Awaitable[OffsetCommitResponse]:
        """`exists(topic, partition)`: what does not is UNKNOWN_TOPIC_OR_PARTITION."""

        def refuse(code: ErrorCode) -> OffsetCommitResponse:
            if code is ErrorCode.MESSAGE_TOO_LARGE:
                code = ErrorCode.INVALID_COMMIT_OFFSET_SIZE
            return refuse_commit(request, code, exists)

        return self._runtime.write(
            self.partition_for(request.group_id),
            lambda shard, now: shard.commit(request, exists, caller.version, now),
            refuse,
        )

    def fetch_offsets(
        self, groups: Sequence[tuple[str, Iterable[tuple[str, Iterable[int]]] | None]]
    ) -> list[FetchedGroup] | Awaitable[list[FetchedGroup]]:
        """For each `(group, topics)`; topics None: all that the group has committed."""
        return gather([self._fetch_group(group_id, topics) for group_id, topics in groups])

    def _fetch_group(
        self, group_id: str, topics: Iterable[tuple[str, Iterable[int]]] | None
    ) -> FetchedGroup | Awaitable[FetchedGroup]:
        return self._runtime.read(
            self.partition_for(group_id),
            lambda shard: FetchedGroup(group_id, ErrorCode.NONE, shard.fetch(group_id, topics)),
            lambda code: FetchedGroup(group_id, code, []),
        )

    def delete_offsets(
        self, request: OffsetDeleteRequest, exists: Exists
    ) -> OffsetDeleteResponse | Awaitable[OffsetDeleteResponse]:
        if not request.group_id:
            return OffsetDeleteResponse(error_code=ErrorCode.INVALID_GROUP_ID)
        return self._runtime.write(
            self.partition_for(request.group_id),
            lambda shard, _now: shard.delete_offsets(request, exists),
            lambda code: OffsetDeleteResponse(error_code=_unexpected_size(code)),
        )

    def topics_deleted(self, names: Collection[str]) -> None:
        """Forget what was committed for topics that are gone. Not waited for.

        A crash before the tombstones are durable leaves offsets of topics that do not exist; they
        expire like others.
        """
        deleted = frozenset(names)
        for partition in list(self._runtime.shards):
            self._runtime.repeat(partition, lambda shard, _now: shard.delete_topics(deleted))

    # -- administration -----------------------------------------------------------------------

    def describe_groups(
        self, group_ids: Sequence[str], caller: Caller
    ) -> list[DescribedGroup] | Awaitable[list[DescribedGroup]]:
        def describe(group_id: str) -> DescribedGroup | Awaitable[DescribedGroup]:
            return self._runtime.read(
                self.partition_for(group_id),
                lambda shard: describe_group(shard, group_id, caller.version),
                lambda code: DescribedGroup(group_id=group_id, error_code=code),
            )

        return gather([describe(group_id) for group_id in group_ids])

    def count(self) -> int:
        """How many groups are known."""
        return sum(len(shard.machine.groups) for shard in self._runtime.live())

    def committed_offsets(self) -> Iterator[tuple[str, str, int, int]]:
        """Group, topic, partition and offset of all that is committed, one after the other.

        What changes between two of them is there or is not.
        """
        for shard in self._runtime.live():
            offsets = shard.machine.offsets
            for group in offsets.groups():
                for topic, partitions in list(offsets.topics(group).items()):
                    for index, committed in list(partitions.items()):
                        yield group, topic, index, committed.offset

    def list_groups(self, states: Collection[str], types: Collection[str]) -> ListedGroups:
        """Filters ignore case; an empty one lets everything through."""
        wanted_states = {state.lower() for state in states}
        wanted_types = {kind.lower() for kind in types}
        if wanted_types and GROUP_TYPE not in wanted_types:
            return ListedGroups(ErrorCode.NONE, [])
        listed = []
        for partition in self._runtime.shards:
            try:
                shard = self._runtime.shard(partition)
            except ApiError as refusal:
                if refusal.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                    return ListedGroups(refusal.code, [])
                continue
            listed += [
                ListedGroup(
                    group_id=group.id,
                    protocol_type=group.protocol_type or "",
                    group_state=group.state.value,
                    group_type=GROUP_TYPE,
                )
                for group in shard.machine.groups.values()
                if not wanted_states or group.state.value.lower() in wanted_states
            ]
        return ListedGroups(ErrorCode.NONE, listed)

    def delete_groups(
        self, group_ids: Iterable[str]
    ) -> list[DeletableGroupResult] | Awaitable[list[DeletableGroupResult]]:
        def delete(group_id: str) -> DeletableGroupResult | Awaitable[DeletableGroupResult]:
            return then(
                self._runtime.write(
                    self.partition_for(group_id),
                    lambda shard, _now: shard.delete(group_id),
                    _unexpected_size,
                ),
                lambda code: deleted_group(group_id, code),
            )

        return gather([delete(group_id) for group_id in dict.fromkeys(group_ids)])


def java_hash(text: str) -> int:
    """`String.hashCode`: over UTF-16 code units, in 32 bits."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for at in range(0, len(units), 2):
        value = (value * 31 + (units[at] << 8 | units[at + 1])) & 0xFFFFFFFF
    return value


def describe_group(shard: GroupShard, group_id: str, version: int) -> DescribedGroup:
    """An unknown group is Dead, and from v6 on an error."""
    group = shard.groups.get(group_id)
    if group is not None:
        return group.describe()
    if version < GROUP_ID_NOT_FOUND_SINCE:
        return DescribedGroup(group_id=group_id, group_state=DEAD)
    return DescribedGroup(
        group_id=group_id,
        group_state=DEAD,
        error_code=ErrorCode.GROUP_ID_NOT_FOUND,
        error_message=f"Group {group_id} not found.",
    )


def deleted_group(group_id: str, code: ErrorCode) -> DeletableGroupResult:
    messages = {
        ErrorCode.GROUP_ID_NOT_FOUND: f"Group {group_id} not found.",
        ErrorCode.NON_EMPTY_GROUP: f"Group {group_id} has members.",
    }
    return DeletableGroupResult(
        group_id=group_id, error_code=code, error_message=messages.get(code)
    )


def refuse_commit(
    request: OffsetCommitRequest, code: ErrorCode, exists: Exists
) -> OffsetCommitResponse:
    """The error of all partitions, but for those that do not exist."""
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=partition.partition_index,
                        error_code=(
                            code
                            if exists(topic.name, partition.partition_index)
                            else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                        ),
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _unexpected_size(code: ErrorCode) -> ErrorCode:
    """A group that does not fit a batch is nothing that these requests have a code for."""
    return ErrorCode.UNKNOWN_SERVER_ERROR if code is ErrorCode.MESSAGE_TOO_LARGE else code
