"""A classic group: the members elect a leader, the leader assigns, the broker keeps the rounds.

The answers to JoinGroup, SyncGroup, Heartbeat, LeaveGroup and to the checks of OffsetCommit, as in
Kafka's `ClassicGroup` and the classic half of `GroupMetadataManager` (KIP-345 static members,
KIP-394 member ids, KIP-814 skipped assignments). Cooperative rebalancing (KIP-429) is the clients'
affair. States: `classic_states.py`; rounds and timers: `classic_rounds.py`.

Deviations: a request superseded by the same member's next one is answered REBALANCE_IN_PROGRESS,
where Kafka never answers it; a static member that starts again is shown with its new client id and
host; the group's first round ends early when all its members have left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from godel.coordinator.classic_member import ClassicMember, protocols_of, rebalance_timeout_ms
from godel.coordinator.classic_protocols import select_protocol, supported_by_all
from godel.coordinator.classic_rounds import COMPLETING, EMPTY, PREPARING, STABLE, ClassicRounds
from godel.coordinator.consumer_protocol import PROTOCOL_TYPE, subscribed_topics
from godel.coordinator.decision import Caller, Decision, Instant, Parked
from godel.coordinator.draft import Draft, refuse_join
from godel.coordinator.offsets import RetentionBase
from godel.coordinator.records import GroupCoordinatorRecord
from godel.errors import ErrorCode
from godel.protocol.messages.describe_groups import DescribedGroup, DescribedGroupMember
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from godel.protocol.messages.leave_group import LeaveGroupResponse, MemberIdentity, MemberResponse
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

MEMBER_ID_REQUIRED_SINCE = 4
SKIP_ASSIGNMENT_SINCE = 9
CLIENT_ID_CHARACTERS_MAX = 1_000
"""Of a client id in a member id, so that the member id fits the protocol's strings."""


class ClassicGroup(ClassicRounds):
    """One group. Owned and changed by its `GroupShard` only."""

    # -- requests -----------------------------------------------------------------------------

    def join(
        self, request: JoinGroupRequest, caller: Caller, now: Instant
    ) -> Decision[JoinGroupResponse, GroupCoordinatorRecord]:
        saved, draft = self._save(), Draft()
        reply: JoinGroupResponse | Parked
        if not self._has_room_for(request.member_id):
            self._drop(request.member_id, draft)
            self._complete_if_all_joined(now, draft)
            reply = refuse_join("", ErrorCode.GROUP_MAX_SIZE_REACHED)
        elif not self._supports(request):
            reply = refuse_join(request.member_id, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        elif not request.member_id:
            reply = self._join_new(request, caller, now, draft)
        else:
            reply = self._join_known(request, caller, now, draft)
        return self._decided(draft, reply, saved)

    def sync(
        self, request: SyncGroupRequest, now: Instant
    ) -> Decision[SyncGroupResponse, GroupCoordinatorRecord]:
        error = self._check_sync(request)
        if error is not ErrorCode.NONE:
            return Decision(SyncGroupResponse(error_code=error))
        saved, draft = self._save(), Draft()
        member = self.members[request.member_id]
        self._sync_arrived(member.id)
        reply: SyncGroupResponse | Parked
        if self.state is STABLE:
            self.renew_session(member.id, now)
            reply = self._assignment(member.assignment)
        elif member.id == self.leader:
            reply = self._accept_assignments(request, now, draft)
        else:
            reply = self._park_sync(member, draft)
        return self._decided(draft, reply, saved)

    def heartbeat(
        self, member_id: str, instance_id: str | None, generation: int, now: Instant
    ) -> ErrorCode:
        error = self.check_member(member_id, instance_id)
        if error is not ErrorCode.NONE:
            return error
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        self.renew_session(member_id, now)
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is PREPARING else ErrorCode.NONE

    def leave(
        self, leaving: Sequence[MemberIdentity], is_list: bool, now: Instant
    ) -> Decision[LeaveGroupResponse, GroupCoordinatorRecord]:
        saved, draft = self._save(), Draft()
        replies = [
            MemberResponse(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                error_code=self._leave_one(member, draft),
            )
            for member in leaving
        ]
        if self.state in (STABLE, COMPLETING):
            if any(reply.error_code == ErrorCode.NONE for reply in replies):
                self._prepare_rebalance(now, draft)
        else:
            self._complete_if_all_joined(now, draft)
        return self._decided(draft, left_group(replies, is_list), saved)

    # -- joining ------------------------------------------------------------------------------

    def _join_new(
        self, request: JoinGroupRequest, caller: Caller, now: Instant, draft: Draft
    ) -> JoinGroupResponse | Parked:
        instance_id = request.group_instance_id
        prefix = (caller.client_id if instance_id is None else instance_id)[
            :CLIENT_ID_CHARACTERS_MAX
        ]
        member_id = f"{prefix}-{self._environment.new_uuid()}"
        if instance_id is not None:
            if instance_id in self.static_ids:
                return self._replace_static(request, member_id, caller, now, draft)
            return self._add(request, member_id, caller, now, draft)
        if caller.version < MEMBER_ID_REQUIRED_SINCE:
            return self._add(request, member_id, caller, now, draft)
        if len(self.pending) >= self._environment.settings.pending_members_max:
            return refuse_join("", ErrorCode.COORDINATOR_NOT_AVAILABLE)
        self.pending.add(member_id)
        self.sessions[member_id] = now.monotonic_ms + request.session_timeout_ms
        return refuse_join(member_id, ErrorCode.MEMBER_ID_REQUIRED)

    def _join_known(
        self, request: JoinGroupRequest, caller: Caller, now: Instant, draft: Draft
    ) -> JoinGroupResponse | Parked:
        if request.member_id in self.pending:
            if request.group_instance_id is not None:
                return refuse_join(request.member_id, ErrorCode.UNKNOWN_MEMBER_ID)
            return self._add(request, request.member_id, caller, now, draft)
        error = self.check_member(request.member_id, request.group_instance_id)
        if error is not ErrorCode.NONE:
            return refuse_join(request.member_id, error)
        member = self.members[request.member_id]
        is_unchanged = dict(member.protocols) == protocols_of(request) and list(
            member.protocols
        ) == [protocol.name for protocol in request.protocols]
        is_leader = member.id == self.leader
        # A stable group's leader that joins again wants a rebalance: topics may have changed.
        if is_unchanged and (self.state is COMPLETING or (self.state is STABLE and not is_leader)):
            self.renew_session(member.id, now)
            return self._joined(member)
        ticket = self._environment.new_ticket()
        draft.supersede_join(member)
        self.members[member.id] = member.rejoining(request, ticket)
        self._rebalance_or_complete(now, draft)
        return Parked(ticket)

    def _add(
        self,
        request: JoinGroupRequest,
        member_id: str,
        caller: Caller,
        now: Instant,
        draft: Draft,
    ) -> Parked:
        ticket = self._environment.new_ticket()
        if not self.members:
            self.protocol_type = request.protocol_type
        self.pending.discard(member_id)
        self.members[member_id] = ClassicMember(
            id=member_id,
            instance_id=request.group_instance_id,
            client_id=caller.client_id,
            client_host=caller.client_host,
            rebalance_timeout_ms=rebalance_timeout_ms(request),
            session_timeout_ms=request.session_timeout_ms,
            protocols=protocols_of(request),
            is_new=True,
            join_ticket=ticket,
        )
        if request.group_instance_id is not None:
            self.static_ids[request.group_instance_id] = member_id
        if self.leader is None:
            self.leader = member_id
        if self.state is PREPARING and self.initial_remaining_ms is not None:
            self.new_member_added = True
        # It cannot send heartbeats before it knows its id, so an abandoned request ends here.
        self.sessions[member_id] = (
            now.monotonic_ms + self._environment.settings.new_member_join_timeout_ms
        )
        self._rebalance_or_complete(now, draft)
        return Parked(ticket)

    def _replace_static(
        self,
        request: JoinGroupRequest,
        member_id: str,
        caller: Caller,
        now: Instant,
        draft: Draft,
    ) -> JoinGroupResponse | Parked:
        """A static member starts again: its instance id keeps its place, its old id is fenced."""
        assert request.group_instance_id is not None
        leader_before = self.leader
        old = self.members.pop(self.static_ids[request.group_instance_id])
        draft.fence(old)
        ticket = self._environment.new_ticket()
        self.members[member_id] = replace(
            old.rejoining(request, ticket),
            id=member_id,
            client_id=caller.client_id,
            client_host=caller.client_host,
            sync_ticket=None,
            is_new=False,
        )
        self.static_ids[request.group_instance_id] = member_id
        self.sessions.pop(old.id, None)
        self.renew_session(member_id, now)
        if old.id in self.pending_sync:
            self.pending_sync.remove(old.id)
            self.pending_sync.add(member_id)
        if leader_before == old.id:
            self.leader = member_id
        if self.state is STABLE and select_protocol(self.members.values()) == self.protocol:
            return self._keep_static(self.members[member_id], leader_before, caller, draft)
        if self.state is COMPLETING:
            # The leader may be assigning to the old id already.
            self._prepare_rebalance(now, draft)
        else:
            self._rebalance_or_complete(now, draft)
        return Parked(ticket)

    def _keep_static(
        self, member: ClassicMember, leader_before: str | None, caller: Caller, draft: Draft
    ) -> JoinGroupResponse:
        """Nobody else need notice. KIP-814: from v9 a leader is told not to assign; before, it is
        told the old leader's id, so that it takes itself for a follower."""
        member = self.members[member.id] = replace(member, join_ticket=None)
        draft.records.append(self._record(self.state_since_ms or -1, self._assignments()))
        joined = self._joined(member)
        if caller.version >= SKIP_ASSIGNMENT_SINCE:
            joined.skip_assignment = member.id == self.leader
        else:
            joined.leader = leader_before or ""
            joined.members = []
        return joined

    def _has_room_for(self, member_id: str) -> bool:
        size_max = self._environment.settings.group_max_size
        if self.state is EMPTY or len(self.members) < size_max:
            return True
        member = self.members.get(member_id)
        if self.state is not PREPARING:
            return member is not None
        if member is not None and member.join_ticket is not None:
            return True
        return sum(m.join_ticket is not None for m in self.members.values()) < size_max

    def _supports(self, request: JoinGroupRequest) -> bool:
        if not self.members:
            return bool(request.protocol_type and request.protocols)
        names = [protocol.name for protocol in request.protocols]
        return request.protocol_type == self.protocol_type and bool(
            supported_by_all(self.members.values(), names)
        )

    # -- syncing and leaving ------------------------------------------------------------------

    def _check_sync(self, request: SyncGroupRequest) -> ErrorCode:
        error = self.check_member(request.member_id, request.group_instance_id)
        if error is not ErrorCode.NONE:
            return error
        if request.generation_id != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if request.protocol_type not in (None, self.protocol_type) or (
            request.protocol_name not in (None, self.protocol)
        ):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if self.state is PREPARING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    def _accept_assignments(
        self, request: SyncGroupRequest, now: Instant, draft: Draft
    ) -> SyncGroupResponse:
        """The leader has decided: everyone who waits gets its part, once that is written."""
        given = {part.member_id: bytes(part.assignment) for part in request.assignments}
        draft.records.append(self._record(now.wall_ms, given))
        for member in list(self.members.values()):
            if member.sync_ticket is not None:
                draft.answer_sync(member, self._assignment(given.get(member.id, b"")))
                self.members[member.id] = replace(member, sync_ticket=None)
                self.renew_session(member.id, now)
        self.renew_session(request.member_id, now)
        return self._assignment(given.get(request.member_id, b""))

    def _park_sync(self, member: ClassicMember, draft: Draft) -> Parked:
        draft.answer_sync(member, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS))
        ticket = self._environment.new_ticket()
        self.members[member.id] = replace(member, sync_ticket=ticket)
        return Parked(ticket)

    def _assignment(self, assignment: bytes) -> SyncGroupResponse:
        return SyncGroupResponse(
            protocol_type=self.protocol_type, protocol_name=self.protocol, assignment=assignment
        )

    def _assignments(self) -> dict[str, bytes]:
        return {member.id: member.assignment for member in self.members.values()}

    def _leave_one(self, leaving: MemberIdentity, draft: Draft) -> ErrorCode:
        """An administrator may name only the instance id (KIP-345)."""
        member_id = leaving.member_id
        if not member_id and leaving.group_instance_id is not None:
            member_id = self.static_ids.get(leaving.group_instance_id, "")
        if member_id in self.pending:
            self._drop(member_id, draft)
            return ErrorCode.NONE
        error = self.check_member(member_id, leaving.group_instance_id)
        if error is ErrorCode.NONE:
            self._drop(member_id, draft)
        return error

    # -- offsets and descriptions -------------------------------------------------------------

    def check_commit(self, member_id: str, instance_id: str | None, generation: int) -> ErrorCode:
        """Whether OffsetCommit is allowed; no generation and no members: a simple consumer."""
        if generation < 0 and self.state is EMPTY:
            return ErrorCode.NONE
        if generation < 0 and not member_id and instance_id is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        error = self.check_member(member_id, instance_id)
        if error is not ErrorCode.NONE:
            return error
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if self.state is COMPLETING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    def retention_base(self) -> RetentionBase:
        """From when an offset grows old; None: it is in use (KIP-211, KIP-496)."""
        if self.protocol_type is None:
            return lambda _topic, committed: committed.commit_ms
        if self.state is EMPTY:
            since_ms = self.state_since_ms
            return lambda _topic, committed: committed.commit_ms if since_ms is None else since_ms
        topics = self.subscribed_topics() if self.state is STABLE else None
        return lambda topic, committed: (
            committed.commit_ms if topics is not None and topic not in topics else None
        )

    def subscribed_topics(self) -> frozenset[str] | None:
        """What the members of a consumer group read; None where the broker cannot tell."""
        if self.protocol_type != PROTOCOL_TYPE:
            return None
        return subscribed_topics(
            member.protocols.get(self.protocol or "", b"") for member in self.members.values()
        )

    @property
    def is_unused(self) -> bool:
        return self.state is EMPTY and not self.pending

    def describe(self) -> DescribedGroup:
        """Kafka shows a protocol and the members' metadata only while the group is stable."""
        is_stable = self.state is STABLE
        protocol = (self.protocol or "") if is_stable else ""
        return DescribedGroup(
            group_id=self.id,
            group_state=self.state.value,
            protocol_type=self.protocol_type or "",
            protocol_data=protocol,
            members=[
                DescribedGroupMember(
                    member_id=member.id,
                    group_instance_id=member.instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.protocols.get(protocol, b"") if is_stable else b"",
                    member_assignment=member.assignment,
                )
                for member in self.members.values()
            ],
        )


def left_group(replies: list[MemberResponse], is_list: bool) -> LeaveGroupResponse:
    if is_list:
        return LeaveGroupResponse(members=replies)
    return LeaveGroupResponse(error_code=replies[0].error_code)
