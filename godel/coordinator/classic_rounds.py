"""The rounds of a classic group: the join phase, the sync phase, and the timers that end them.

The half of Kafka's `ClassicGroup` and `GroupMetadataManager` that is about time and membership
(KIP-62 rebalance timeouts, KIP-134 initial delay). The answers to requests: `classic_group.py`.

Durable is what the last record in `__consumer_offsets` says: the group as Empty, or as Stable with
its members. A rebalance is volatile: after a restart the members find the last stable generation.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from godel.coordinator.classic_member import ClassicMember, from_record
from godel.coordinator.classic_protocols import select_protocol
from godel.coordinator.classic_states import TRANSITIONS, ClassicGroupState
from godel.coordinator.decision import Decision, Instant, Parked
from godel.coordinator.draft import Draft, GroupEnvironment
from godel.coordinator.records import GroupCoordinatorRecord, GroupRecord
from godel.errors import ErrorCode
from godel.protocol.messages.group_metadata import GroupMetadataKey, GroupMetadataValue
from godel.protocol.messages.join_group import JoinGroupResponse
from godel.protocol.messages.sync_group import SyncGroupResponse

Reply = TypeVar("Reply")

RETRY_MS = 1_000
"""After a timer's records could not be written."""

GENERATION_MAX = 2**31 - 1

EMPTY = ClassicGroupState.EMPTY
PREPARING = ClassicGroupState.PREPARING_REBALANCE
COMPLETING = ClassicGroupState.COMPLETING_REBALANCE
STABLE = ClassicGroupState.STABLE

VOLATILE = (
    "state",
    "state_since_ms",
    "generation",
    "protocol_type",
    "protocol",
    "leader",
    "members",
    "static_ids",
    "pending",
    "pending_sync",
    "sessions",
    "join_deadline_ms",
    "sync_deadline_ms",
    "initial_remaining_ms",
    "new_member_added",
)
"""What a decision may change before its records are written."""


class ClassicRounds:
    """Members, rounds and deadlines of one group. Changed by `ClassicGroup` only."""

    def __init__(self, group_id: str, environment: GroupEnvironment) -> None:
        self.id = group_id
        self.durable: GroupMetadataValue | None = None
        self.state = EMPTY
        self.state_since_ms: int | None = None
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members: dict[str, ClassicMember] = {}
        self.static_ids: dict[str, str] = {}
        self.pending: set[str] = set()
        """Ids given out with MEMBER_ID_REQUIRED that have not joined yet."""
        self.pending_sync: set[str] = set()
        self.sessions: dict[str, float] = {}
        """When a member (or pending member) is given up. Absent while it waits for us."""
        self.join_deadline_ms: float | None = None
        self.sync_deadline_ms: float | None = None
        self.initial_remaining_ms: float | None = None
        """What is left of the initial delay; None: this is not a group's first join phase."""
        self.new_member_added = False
        self._retry_at_ms = 0.0
        self._environment = environment

    # -- timers -------------------------------------------------------------------------------

    def next_deadline_ms(self) -> float | None:
        deadlines = [*self.sessions.values()]
        if self.join_deadline_ms is not None:
            deadlines.append(self.join_deadline_ms)
        if self.sync_deadline_ms is not None:
            deadlines.append(self.sync_deadline_ms)
        return max(min(deadlines), self._retry_at_ms) if deadlines else None

    def expire(self, now: Instant) -> Decision[None, GroupCoordinatorRecord]:
        """Act on the one deadline that has been due longest. At least one is due."""
        saved, draft = self._save(), Draft()
        member_id = min(self.sessions, key=self.sessions.__getitem__, default=None)
        session_ms = None if member_id is None else self.sessions[member_id]
        due_ms = min(
            deadline
            for deadline in (self.join_deadline_ms, self.sync_deadline_ms, session_ms)
            if deadline is not None
        )
        assert due_ms <= now.monotonic_ms
        if due_ms == session_ms:
            assert member_id is not None
            self._expire_session(member_id, now, draft)
        elif due_ms == self.join_deadline_ms:
            self._expire_join_phase(now, draft)
        else:
            self._expire_sync_phase(now, draft)
        decision = self._decided(draft, None, saved)
        if decision.undo is None:
            return decision
        return replace(decision, undo=partial(self._retry_later, saved, now))

    def renew_session(self, member_id: str, now: Instant) -> None:
        member = self.members.get(member_id)
        if member is not None:
            self.sessions[member_id] = now.monotonic_ms + member.session_timeout_ms

    # -- durable state ------------------------------------------------------------------------

    def apply(self, value: GroupMetadataValue) -> None:
        """A record of this group was written: it is now Empty, or Stable with these members."""
        self.durable = value
        assert value.generation == self.generation
        assert {member.member_id for member in value.members} == self.members.keys()
        for written in value.members:
            member = self.members[written.member_id]
            if member.assignment != written.assignment:
                self.members[member.id] = replace(member, assignment=written.assignment)
        state = STABLE if value.members else EMPTY
        if self.state is not state:
            self._transition(state)
        self.state_since_ms = value.current_state_timestamp

    def restore(self, now: Instant) -> None:
        """After replay: become what the last record says, with new sessions (Kafka's onLoaded)."""
        value = self.durable
        if value is None:
            return
        self.generation = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol = value.protocol
        self.leader = value.leader
        self.state = STABLE if value.members else EMPTY
        self.state_since_ms = (
            None if value.current_state_timestamp < 0 else value.current_state_timestamp
        )
        for record in value.members:
            member = from_record(record, value.protocol)
            self.members[member.id] = member
            if member.instance_id is not None:
                self.static_ids[member.instance_id] = member.id
            self.renew_session(member.id, now)
        if len(self.members) > self._environment.settings.group_max_size:
            self._prepare_rebalance(now, Draft())

    def die(self) -> None:
        """The group's tombstone was written."""
        assert not self.members
        self._transition(ClassicGroupState.DEAD)

    # -- the join phase -----------------------------------------------------------------------

    def _rebalance_or_complete(self, now: Instant, draft: Draft) -> None:
        if self.state is PREPARING:
            self._complete_if_all_joined(now, draft)
        else:
            self._prepare_rebalance(now, draft)

    def _prepare_rebalance(self, now: Instant, draft: Draft) -> None:
        """Begin a join phase; whoever waits for an assignment has to join again."""
        if self.state is COMPLETING:
            for member in self.members.values():
                if member.sync_ticket is not None:
                    self.renew_session(member.id, now)
                draft.answer_sync(
                    member, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)
                )
                self.members[member.id] = replace(member, assignment=b"", sync_ticket=None)
        self.pending_sync.clear()
        self.sync_deadline_ms = None
        is_first_round = self.state is EMPTY
        self._transition(PREPARING)
        if is_first_round:
            self._begin_initial_delay(now, draft)
        elif self._all_joined():
            self._complete_join_phase(now, draft)
        else:
            self.join_deadline_ms = now.monotonic_ms + self._rebalance_timeout_ms()

    def _begin_initial_delay(self, now: Instant, draft: Draft) -> None:
        """KIP-134: give the other members of a starting application time to come."""
        self.initial_remaining_ms = self._rebalance_timeout_ms()
        self.new_member_added = True
        self._extend_initial_delay(now, draft)

    def _extend_initial_delay(self, now: Instant, draft: Draft) -> None:
        assert self.initial_remaining_ms is not None
        configured_ms = self._environment.settings.group_initial_rebalance_delay_ms
        delay_ms = min(configured_ms, self.initial_remaining_ms)
        if delay_ms <= 0 or not self.new_member_added:
            self._complete_join_phase(now, draft)
            return
        self.new_member_added = False
        self.initial_remaining_ms -= delay_ms
        self.join_deadline_ms = now.monotonic_ms + delay_ms

    def _complete_if_all_joined(self, now: Instant, draft: Draft) -> None:
        """A first round waits for its delay, unless everybody has left."""
        if self.state is not PREPARING or not self._all_joined():
            return
        if self.initial_remaining_ms is None or not self.members:
            self._complete_join_phase(now, draft)

    def _complete_join_phase(self, now: Instant, draft: Draft) -> None:
        """Go on with those who joined, and with static members, whose sessions still run."""
        self.join_deadline_ms = None
        self.initial_remaining_ms = None
        for member in list(self.members.values()):
            if member.join_ticket is None and member.instance_id is None:
                self._drop(member.id, draft)
        if self.members and not self._elect_joined_leader():
            self.join_deadline_ms = now.monotonic_ms + self._rebalance_timeout_ms()
            return
        self.generation = self.generation + 1 if self.generation < GENERATION_MAX else 1
        self.protocol = select_protocol(self.members.values())
        if self.members:
            self._begin_sync_phase(now, draft)
        else:
            draft.records.append(self._record(now.wall_ms, {}))

    def _elect_joined_leader(self) -> bool:
        """A leader that did not join again gives way to a member that did."""
        leader = self.members.get(self.leader or "")
        if leader is None or leader.join_ticket is None:
            joined = (m.id for m in self.members.values() if m.join_ticket is not None)
            self.leader = next(joined, self.leader)
            leader = self.members.get(self.leader or "")
        return leader is not None and leader.join_ticket is not None

    # -- the sync phase -----------------------------------------------------------------------

    def _begin_sync_phase(self, now: Instant, draft: Draft) -> None:
        self._transition(COMPLETING)
        self.state_since_ms = now.wall_ms
        for member in list(self.members.values()):
            draft.answer_join(member, self._joined(member))
            self.members[member.id] = replace(member, join_ticket=None, is_new=False)
            self.renew_session(member.id, now)
        self.pending_sync = set(self.members)
        self.sync_deadline_ms = now.monotonic_ms + self._rebalance_timeout_ms()

    def _sync_arrived(self, member_id: str) -> None:
        self.pending_sync.discard(member_id)
        if not self.pending_sync:
            self.sync_deadline_ms = None

    # -- the end of a wait --------------------------------------------------------------------

    def _expire_session(self, member_id: str, now: Instant, draft: Draft) -> None:
        del self.sessions[member_id]
        member = self.members.get(member_id)
        if member is not None and member.has_satisfied_heartbeat:
            return  # renewed with the answer
        self._drop(member_id, draft)
        if member is not None and self.state in (STABLE, COMPLETING):
            self._prepare_rebalance(now, draft)
        else:
            self._complete_if_all_joined(now, draft)

    def _expire_join_phase(self, now: Instant, draft: Draft) -> None:
        if self.initial_remaining_ms is None:
            self._complete_join_phase(now, draft)
        else:
            self._extend_initial_delay(now, draft)

    def _expire_sync_phase(self, now: Instant, draft: Draft) -> None:
        self.sync_deadline_ms = None
        missing = list(self.pending_sync)
        for member_id in missing:
            self._drop(member_id, draft)
        if missing:
            self._prepare_rebalance(now, draft)

    # -- members ------------------------------------------------------------------------------

    def check_member(self, member_id: str, instance_id: str | None) -> ErrorCode:
        if instance_id is not None:
            holder = self.static_ids.get(instance_id)
            if holder is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if holder != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return ErrorCode.NONE if member_id in self.members else ErrorCode.UNKNOWN_MEMBER_ID

    def _drop(self, member_id: str, draft: Draft) -> None:
        """Forget a member or a pending one; the next member becomes the leader."""
        self.pending.discard(member_id)
        self.pending_sync.discard(member_id)
        self.sessions.pop(member_id, None)
        member = self.members.pop(member_id, None)
        if member is None:
            return
        draft.dismiss(member)
        if member.instance_id is not None:
            self.static_ids.pop(member.instance_id, None)
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)

    def _all_joined(self) -> bool:
        return not self.pending and all(
            member.join_ticket is not None for member in self.members.values()
        )

    def _rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def _joined(self, member: ClassicMember) -> JoinGroupResponse:
        """The current generation; with the members, if this one is to assign."""
        members = []
        if member.id == self.leader:
            members = [other.for_leader(self.protocol) for other in self.members.values()]
        return JoinGroupResponse(
            generation_id=self.generation,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol,
            leader=self.leader or "",
            member_id=member.id,
            members=members,
        )

    # -- decisions ----------------------------------------------------------------------------

    def _record(self, state_since_ms: int, assignments: dict[str, bytes]) -> GroupRecord:
        members = [
            member.to_record(self.protocol, assignments.get(member.id, b""))
            for member in self.members.values()
        ]
        return GroupRecord(
            GroupMetadataKey(group=self.id),
            GroupMetadataValue(
                protocol_type=self.protocol_type or "",
                generation=self.generation,
                protocol=self.protocol,
                leader=self.leader,
                current_state_timestamp=state_since_ms,
                members=members,
            ),
        )

    def _transition(self, to: ClassicGroupState) -> None:
        assert to in TRANSITIONS[self.state], f"{self.state} to {to}"
        self.state = to

    def _save(self) -> dict[str, Any]:
        return {name: copy(getattr(self, name)) for name in VOLATILE}

    def _restore(self, saved: dict[str, Any]) -> None:
        for name, value in saved.items():
            setattr(self, name, value)

    def _retry_later(self, saved: dict[str, Any], now: Instant) -> None:
        self._restore(saved)
        self._retry_at_ms = now.monotonic_ms + RETRY_MS

    def _decided(
        self, draft: Draft, reply: Reply | Parked, saved: dict[str, Any]
    ) -> Decision[Reply, GroupCoordinatorRecord]:
        """A request that was parked and woken in one go is simply answered."""
        wakes = draft.wakes
        if isinstance(reply, Parked):
            for wake in wakes:
                if wake.ticket == reply.ticket:
                    wakes = [other for other in wakes if other is not wake]
                    reply = cast(Reply, wake.reply)
                    break
        undo = partial(self._restore, saved) if draft.records else None
        return Decision(reply, tuple(draft.records), tuple(wakes), undo)
