"""The groups and offsets of one partition of `__consumer_offsets`: a pure state machine.

Decides what a request does, applies the records that were written, and says when it wants to be
asked again. Kafka's `GroupCoordinatorShard`. Classic groups only so far; a KIP-848 group will be
another class beside `ClassicGroup` in the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from typing import TypeVar

from godel.coordinator.classic_group import ClassicGroup, left_group
from godel.coordinator.consumer_protocol import PROTOCOL_TYPE
from godel.coordinator.decision import Caller, Decision, Instant
from godel.coordinator.draft import GroupEnvironment, refuse_join
from godel.coordinator.offsets import CommittedOffsets, FetchedTopics, commit_record, tombstone
from godel.coordinator.records import (
    GroupCoordinatorRecord,
    GroupRecord,
    OffsetRecord,
    from_bytes,
    to_bytes,
)
from godel.errors import ErrorCode
from godel.protocol.messages.group_metadata import GroupMetadataKey
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from godel.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
    MemberResponse,
)
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from godel.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from godel.types import TopicPartition

RECORDS_MAX = 1_000
"""In one batch of tombstones; the rest follows in the next decision."""
RETRY_MS = 1_000

LEAVE_LIST_SINCE = 3
GROUP_ID_NOT_FOUND_SINCE = 9

Reply = TypeVar("Reply")
Exists = Callable[[str, int], bool]


class GroupShard:
    """Owned by the runtime, which alone calls `apply`."""

    def __init__(self, environment: GroupEnvironment) -> None:
        self.groups: dict[str, ClassicGroup] = {}
        self.offsets = CommittedOffsets()
        self._environment = environment
        self._is_live = False
        self._deadlines: list[tuple[float, str]] = []
        """A heap; an entry may come too early, as heartbeats only move deadlines on, never late."""
        self._scheduled: dict[str, float] = {}
        self._check_at_ms = 0.0
        self._unchecked: list[str] = []

    # -- the machine as the runtime drives it ---------------------------------------------------

    def encode(self, record: GroupCoordinatorRecord) -> tuple[bytes, bytes | None]:
        return to_bytes(record)

    def decode(self, key: bytes, value: bytes | None) -> GroupCoordinatorRecord | None:
        return from_bytes(key, value)

    def apply(self, record: GroupCoordinatorRecord) -> None:
        """The only change of durable state, live and on replay."""
        if isinstance(record, OffsetRecord):
            self.offsets.apply(record)
            if record.value is not None:
                self._group(record.key.group)
        elif record.value is None:
            removed = self.groups.pop(record.key.group, None)
            if removed is not None and self._is_live:
                removed.die()
        else:
            group = self._group(record.key.group)
            if self._is_live:
                group.apply(record.value)
            else:
                group.durable = record.value

    def loaded(self, now: Instant) -> None:
        """Every record was applied: sessions begin anew."""
        self._is_live = True
        for group in self.groups.values():
            group.restore(now)
            self._schedule(group)
        self._check_at_ms = now.monotonic_ms + self._check_interval_ms()

    def next_deadline_ms(self) -> float:
        if not self._deadlines:
            return self._check_at_ms
        return min(self._check_at_ms, self._deadlines[0][0])

    def expire(self, now: Instant) -> Decision[None, GroupCoordinatorRecord] | None:
        """What the longest due deadline brings; None: nothing is due."""
        while self._deadlines and self._deadlines[0][0] <= now.monotonic_ms:
            due_ms, group_id = heappop(self._deadlines)
            if self._scheduled.get(group_id) != due_ms:
                continue
            del self._scheduled[group_id]
            group = self.groups.get(group_id)
            if group is None:
                continue
            deadline_ms = group.next_deadline_ms()
            if deadline_ms is None or deadline_ms > now.monotonic_ms:
                self._schedule(group)
                continue
            decision = group.expire(now)
            self._schedule(group)
            return self._rescheduling(group, decision)
        if self._check_at_ms <= now.monotonic_ms:
            return self._check_retention(now)
        return None

    # -- membership ---------------------------------------------------------------------------

    def join(
        self, request: JoinGroupRequest, caller: Caller, now: Instant
    ) -> Decision[JoinGroupResponse, GroupCoordinatorRecord]:
        settings = self._environment.settings
        shortest_ms = settings.group_min_session_timeout_ms
        if not shortest_ms <= request.session_timeout_ms <= settings.group_max_session_timeout_ms:
            return _refused_join(request, ErrorCode.INVALID_SESSION_TIMEOUT)
        group = self.groups.get(request.group_id)
        if group is None:
            if request.member_id:
                return _refused_join(request, ErrorCode.UNKNOWN_MEMBER_ID)
            group = ClassicGroup(request.group_id, self._environment)
        decision = group.join(request, caller, now)
        if group.members or group.pending:
            self.groups[group.id] = group
        self._schedule(group)
        return self._rescheduling(group, decision)

    def sync(
        self, request: SyncGroupRequest, now: Instant
    ) -> Decision[SyncGroupResponse, GroupCoordinatorRecord]:
        group = self.groups.get(request.group_id)
        if group is None:
            return Decision(SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
        decision = group.sync(request, now)
        self._schedule(group)
        return self._rescheduling(group, decision)

    def heartbeat(self, request: HeartbeatRequest, now: Instant) -> ErrorCode:
        group = self.groups.get(request.group_id)
        if group is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return group.heartbeat(
            request.member_id, request.group_instance_id, request.generation_id, now
        )

    def leave(
        self, request: LeaveGroupRequest, caller: Caller, now: Instant
    ) -> Decision[LeaveGroupResponse, GroupCoordinatorRecord]:
        """Before v3 one member leaves, and its error is the answer's."""
        is_list = caller.version >= LEAVE_LIST_SINCE
        leaving = request.members if is_list else [MemberIdentity(member_id=request.member_id)]
        group = self.groups.get(request.group_id)
        if group is None:
            unknown = [
                MemberResponse(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    error_code=ErrorCode.UNKNOWN_MEMBER_ID,
                )
                for member in leaving
            ]
            return Decision(left_group(unknown, is_list))
        decision = group.leave(leaving, is_list, now)
        self._schedule(group)
        return self._rescheduling(group, decision)

    def delete(self, group_id: str) -> Decision[ErrorCode, GroupCoordinatorRecord]:
        group = self.groups.get(group_id)
        if group is None:
            return Decision(ErrorCode.GROUP_ID_NOT_FOUND)
        if group.members:
            return Decision(ErrorCode.NON_EMPTY_GROUP)
        records: list[GroupCoordinatorRecord] = [
            tombstone(group_id, partition) for partition in self.offsets.of_group(group_id)
        ]
        records.append(GroupRecord(GroupMetadataKey(group=group_id), None))
        return Decision(ErrorCode.NONE, tuple(records))

    # -- offsets ------------------------------------------------------------------------------

    def commit(
        self, request: OffsetCommitRequest, exists: Exists, version: int, now: Instant
    ) -> Decision[OffsetCommitResponse, GroupCoordinatorRecord]:
        """A partition that does not exist is refused for itself, the rest by the group's state."""
        error = self._check_commit(request, version, now)
        records: list[GroupCoordinatorRecord] = []
        topics = []
        for topic in request.topics:
            answers = []
            for partition in topic.partitions:
                code = error
                if not exists(topic.name, partition.partition_index):
                    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                elif code is ErrorCode.NONE:
                    code = self._check_metadata(partition)
                if code is ErrorCode.NONE:
                    records.append(
                        commit_record(
                            request.group_id,
                            topic.name,
                            partition,
                            now_ms=now.wall_ms,
                            retention_time_ms=request.retention_time_ms,
                        )
                    )
                answers.append(
                    OffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=code
                    )
                )
            topics.append(OffsetCommitResponseTopic(name=topic.name, partitions=answers))
        return Decision(OffsetCommitResponse(topics=topics), tuple(records))

    def fetch(
        self, group_id: str, topics: Iterable[tuple[str, Iterable[int]]] | None
    ) -> FetchedTopics:
        """What is committed; `topics` None: everything. Nothing committed is no error."""
        if topics is None:
            return [
                (topic, list(partitions.items()))
                for topic, partitions in self.offsets.topics(group_id).items()
            ]
        return [
            (topic, [(index, self.offsets.get(group_id, topic, index)) for index in indexes])
            for topic, indexes in topics
        ]

    def delete_offsets(
        self, request: OffsetDeleteRequest, exists: Exists
    ) -> Decision[OffsetDeleteResponse, GroupCoordinatorRecord]:
        """Of a consumer group with members: only for topics that none of them subscribes to."""
        group = self.groups.get(request.group_id)
        if group is None:
            return Decision(OffsetDeleteResponse(error_code=ErrorCode.GROUP_ID_NOT_FOUND))
        subscribed: frozenset[str] | None = frozenset()
        if group.members:
            if group.protocol_type != PROTOCOL_TYPE:
                return Decision(OffsetDeleteResponse(error_code=ErrorCode.NON_EMPTY_GROUP))
            subscribed = group.subscribed_topics()
        forgotten: dict[TopicPartition, None] = {}
        topics = []
        for topic in request.topics:
            answers = []
            for index in (each.partition_index for each in topic.partitions):
                code = ErrorCode.NONE
                if not exists(topic.name, index):
                    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                elif subscribed is None or topic.name in subscribed:
                    code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
                elif self.offsets.get(group.id, topic.name, index) is not None:
                    forgotten[TopicPartition(topic.name, index)] = None
                answers.append(OffsetDeleteResponsePartition(index, code))
            topics.append(OffsetDeleteResponseTopic(name=topic.name, partitions=answers))
        records = tuple(tombstone(group.id, partition) for partition in forgotten)
        return Decision(OffsetDeleteResponse(topics=topics), records)

    def delete_topics(self, names: frozenset[str]) -> Decision[bool, GroupCoordinatorRecord]:
        """Tombstones for offsets of deleted topics. True: there are more, ask again."""
        records: list[GroupCoordinatorRecord] = []
        for group_id in self.offsets.groups():
            for partition in self.offsets.of_group(group_id):
                if partition.topic in names:
                    records.append(tombstone(group_id, partition))
                    if len(records) == RECORDS_MAX:
                        return Decision(True, tuple(records))
        return Decision(False, tuple(records))

    def _check_commit(self, request: OffsetCommitRequest, version: int, now: Instant) -> ErrorCode:
        generation = request.generation_id_or_member_epoch
        group = self.groups.get(request.group_id)
        if group is None:
            if generation < 0:
                return ErrorCode.NONE
            if version >= GROUP_ID_NOT_FOUND_SINCE:
                return ErrorCode.GROUP_ID_NOT_FOUND
            return ErrorCode.ILLEGAL_GENERATION
        error = group.check_commit(request.member_id, request.group_instance_id, generation)
        if error is ErrorCode.NONE:
            group.renew_session(request.member_id, now)
        return error

    def _check_metadata(self, partition: OffsetCommitRequestPartition) -> ErrorCode:
        """Kafka counts characters, whatever the setting's name says."""
        metadata = partition.committed_metadata
        if metadata is not None and (
            len(metadata) > self._environment.settings.offset_metadata_max_bytes
        ):
            return ErrorCode.OFFSET_METADATA_TOO_LARGE
        return ErrorCode.NONE

    # -- timers -------------------------------------------------------------------------------

    def _check_retention(self, now: Instant) -> Decision[None, GroupCoordinatorRecord]:
        """Remove expired offsets, and empty groups without offsets, some groups at a time."""
        settings = self._environment.settings
        if not self._unchecked:
            self._unchecked = list(self.groups)
        records: list[GroupCoordinatorRecord] = []
        while self._unchecked and len(records) < RECORDS_MAX:
            group = self.groups.get(self._unchecked.pop())
            if group is None:
                continue
            expired = self.offsets.expired(
                group.id,
                group.retention_base(),
                now_ms=now.wall_ms,
                retention_ms=settings.offsets_retention_ms,
            )
            records += [tombstone(group.id, partition) for partition in expired]
            if group.is_unused and len(expired) == self.offsets.count(group.id):
                if group.durable is None and not expired:
                    del self.groups[group.id]  # never written
                else:
                    records.append(GroupRecord(GroupMetadataKey(group=group.id), None))
        if not self._unchecked:
            self._check_at_ms = now.monotonic_ms + self._check_interval_ms()
        return Decision(None, tuple(records), undo=partial(self._check_later, now))

    def _check_later(self, now: Instant) -> None:
        self._unchecked = []
        self._check_at_ms = now.monotonic_ms + max(RETRY_MS, self._check_interval_ms())

    def _check_interval_ms(self) -> int:
        return self._environment.settings.offsets_retention_check_interval_ms

    def _schedule(self, group: ClassicGroup) -> None:
        deadline_ms = group.next_deadline_ms()
        if deadline_ms is None:
            return
        known_ms = self._scheduled.get(group.id)
        if known_ms is None or deadline_ms < known_ms:
            self._scheduled[group.id] = deadline_ms
            heappush(self._deadlines, (deadline_ms, group.id))

    def _rescheduling(
        self, group: ClassicGroup, decision: Decision[Reply, GroupCoordinatorRecord]
    ) -> Decision[Reply, GroupCoordinatorRecord]:
        """What is undone has its old deadlines again."""
        undo = decision.undo
        if undo is None:
            return decision

        def undo_and_schedule() -> None:
            undo()
            self._schedule(group)

        return replace(decision, undo=undo_and_schedule)

    def _group(self, group_id: str) -> ClassicGroup:
        group = self.groups.get(group_id)
        if group is None:
            group = self.groups[group_id] = ClassicGroup(group_id, self._environment)
        return group


def _refused_join(
    request: JoinGroupRequest, error: ErrorCode
) -> Decision[JoinGroupResponse, GroupCoordinatorRecord]:
    return Decision(refuse_join(request.member_id, error))
