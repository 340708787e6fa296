"""Random lives of a group, and what must hold in every one of them.

- the generation never goes down while the broker runs, the leader is a member;
- nobody who waits is forgotten: every waiting request is some member's, and is answered once;
- replaying the records gives the durable state that the live shard has;
- left alone, everybody who waits is answered and the group ends empty.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from godel.clock import Randomness
from godel.coordinator.classic_group import ClassicGroup
from godel.coordinator.classic_states import ClassicGroupState
from godel.coordinator.decision import Caller, Decision, Instant, Parked
from godel.coordinator.draft import GroupEnvironment
from godel.coordinator.group_shard import GroupShard
from godel.coordinator.settings import GroupSettings
from godel.errors import ErrorCode
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from godel.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

NAMES = st.sampled_from("abcd")
INSTANCES = st.sampled_from([None, None, "i1", "i2"])
PROTOCOLS = st.sampled_from([("range",), ("range", "sticky"), ("sticky", "range"), ("sticky",)])


class GroupLife(RuleBasedStateMachine):
    @initialize(delay_ms=st.sampled_from([0, 3_000]), size_max=st.sampled_from([2, 100]))
    def begin(self, delay_ms: int, size_max: int) -> None:
        self.environment = GroupEnvironment(
            GroupSettings(
                group_initial_rebalance_delay_ms=delay_ms,
                group_max_size=size_max,
                pending_members_max=3,
            ),
            Randomness(1),
        )
        self.now_ms = 0
        self.log: list[tuple[bytes, bytes | None]] = []
        self.appends_fail = False
        self.waiting: dict[int, tuple[str, str]] = {}
        self.ids: dict[str, str] = {}
        self.instances: dict[str, str | None] = {}
        self.generations: dict[str, int] = {}
        self.generation = 0
        self.shard = self.replayed()

    def instant(self) -> Instant:
        return Instant(self.now_ms, float(self.now_ms))

    def replayed(self) -> GroupShard:
        shard = GroupShard(self.environment)
        for key, value in self.log:
            record = shard.decode(key, value)
            assert record is not None
            shard.apply(record)
        shard.loaded(self.instant())
        return shard

    @property
    def group(self) -> ClassicGroup | None:
        return self.shard.groups.get("g")

    def execute(self, decision: Decision[Any, Any], name: str, kind: str) -> Any:
        if decision.records and self.appends_fail:
            if decision.undo is not None:
                decision.undo()
            return None
        for record in decision.records:
            self.log.append(self.shard.encode(record))
            self.shard.apply(record)
        if isinstance(decision.reply, Parked):
            assert decision.reply.ticket not in self.waiting
            self.waiting[decision.reply.ticket] = (name, kind)
        for wake in decision.wake:
            woken, woken_kind = self.waiting.pop(wake.ticket)
            self.learn(woken, woken_kind, wake.reply)
        if decision.reply is not None and not isinstance(decision.reply, Parked):
            self.learn(name, kind, decision.reply)
        return decision.reply

    def learn(self, name: str, kind: str, reply: Any) -> None:
        if kind != "join":
            return
        if reply.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            self.ids[name] = reply.member_id
        if reply.error_code == ErrorCode.NONE:
            self.generations[name] = reply.generation_id
            assert bool(reply.members) == (reply.leader == reply.member_id), (
                "the leader, and only the leader, sees the members"
            )
        elif reply.error_code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.ids.pop(name, None)

    # -- what happens ---------------------------------------------------------------------------

    @rule(
        name=NAMES,
        instance=INSTANCES,
        protocols=PROTOCOLS,
        version=st.sampled_from([3, 8, 9]),
        topic=st.sampled_from(["t", "u"]),
        forget=st.booleans(),
    )
    def join(
        self,
        name: str,
        instance: str | None,
        protocols: tuple[str, ...],
        version: int,
        topic: str,
        forget: bool,
    ) -> None:
        if forget:
            self.ids.pop(name, None)
        if name not in self.ids:
            self.instances[name] = instance
        request = JoinGroupRequest(
            group_id="g",
            session_timeout_ms=10_000,
            rebalance_timeout_ms=20_000,
            member_id=self.ids.get(name, ""),
            group_instance_id=self.instances[name],
            protocol_type="consumer",
            protocols=[
                JoinGroupRequestProtocol(name=p, metadata=topic.encode()) for p in protocols
            ],
        )
        decision = self.shard.join(request, Caller(version, name, "/::1"), self.instant())
        self.execute(decision, name, "join")

    @rule(name=NAMES)
    def sync(self, name: str) -> None:
        request = SyncGroupRequest(
            group_id="g",
            generation_id=self.generations.get(name, -1),
            member_id=self.ids.get(name, ""),
            group_instance_id=self.instances.get(name),
            assignments=[
                SyncGroupRequestAssignment(member_id=member_id, assignment=other.encode())
                for other, member_id in self.ids.items()
            ],
        )
        self.execute(self.shard.sync(request, self.instant()), name, "sync")

    @rule(name=NAMES)
    def heartbeat(self, name: str) -> None:
        request = HeartbeatRequest(
            group_id="g",
            generation_id=self.generations.get(name, -1),
            member_id=self.ids.get(name, ""),
            group_instance_id=self.instances.get(name),
        )
        self.shard.heartbeat(request, self.instant())

    @rule(name=NAMES, instance=INSTANCES)
    def leave(self, name: str, instance: str | None) -> None:
        member = MemberIdentity(
            member_id="" if instance else self.ids.get(name, ""), group_instance_id=instance
        )
        request = LeaveGroupRequest(group_id="g", members=[member])
        decision = self.shard.leave(request, Caller(5, name, "/::1"), self.instant())
        self.execute(decision, name, "leave")

    @rule(name=NAMES, offset=st.integers(0, 9), is_simple=st.booleans())
    def commit(self, name: str, offset: int, is_simple: bool) -> None:
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        request = OffsetCommitRequest(
            group_id="g",
            generation_id_or_member_epoch=-1 if is_simple else self.generations.get(name, -1),
            member_id="" if is_simple else self.ids.get(name, ""),
            topics=[OffsetCommitRequestTopic(name="t", partitions=[partition])],
        )
        decision = self.shard.commit(request, lambda _t, _p: True, 8, self.instant())
        self.execute(decision, name, "commit")

    @rule(ms=st.sampled_from([500, 4_000, 11_000, 30_000]))
    def advance(self, ms: int) -> None:
        target_ms = self.now_ms + ms
        while (due_ms := self.shard.next_deadline_ms()) <= target_ms:
            self.now_ms = max(self.now_ms, int(due_ms))
            while (decision := self.shard.expire(self.instant())) is not None:
                self.execute(decision, "timer", "timer")
        self.now_ms = target_ms

    @rule()
    def delete(self) -> None:
        self.execute(self.shard.delete("g"), "delete", "delete")

    @rule(fail=st.booleans())
    def appends(self, fail: bool) -> None:
        self.appends_fail = fail

    @rule()
    def restart(self) -> None:
        self.waiting.clear()
        self.shard = self.replayed()
        self.generation = 0

    # -- what holds -----------------------------------------------------------------------------

    @invariant()
    def the_generation_never_goes_down(self) -> None:
        if self.group is None:
            self.generation = 0
        else:
            assert self.group.generation >= self.generation
            self.generation = self.group.generation

    @invariant()
    def the_group_is_whole(self) -> None:
        group = self.group
        if group is None:
            return
        assert (group.leader in group.members) if group.members else group.leader is None
        statics = {m.instance_id: m.id for m in group.members.values() if m.instance_id}
        assert group.static_ids == statics
        assert not group.pending & group.members.keys()
        assert group.pending_sync <= group.members.keys()
        assert group.sessions.keys() <= group.members.keys() | group.pending
        if group.state is ClassicGroupState.EMPTY:
            assert not group.members
        if group.state in (ClassicGroupState.STABLE, ClassicGroupState.COMPLETING_REBALANCE):
            assert group.members
            assert all(group.protocol in m.protocols for m in group.members.values())

    @invariant()
    def everybody_who_waits_is_known(self) -> None:
        group = self.group
        members = () if group is None else group.members.values()
        tickets = [m.join_ticket for m in members] + [m.sync_ticket for m in members]
        assert {ticket for ticket in tickets if ticket is not None} == self.waiting.keys()
        if self.waiting:
            assert group is not None
            assert group.next_deadline_ms() is not None

    @invariant()
    def replay_gives_the_same_durable_state(self) -> None:
        again = self.replayed()
        assert again.offsets.topics("g") == self.shard.offsets.topics("g")
        durable = {k: g.durable for k, g in self.shard.groups.items() if g.durable is not None}
        assert {k: g.durable for k, g in again.groups.items() if g.durable} == durable
        group = self.group
        if group is None or group.durable is None or group.state is not ClassicGroupState.STABLE:
            return
        same = again.groups["g"]
        assert (same.generation, same.protocol, same.leader) == (
            group.generation,
            group.protocol,
            group.leader,
        )
        assert {m.id: m.assignment for m in same.members.values()} == {
            m.id: m.assignment for m in group.members.values()
        }

    def teardown(self) -> None:
        if not hasattr(self, "shard"):
            return
        self.appends_fail = False
        self.advance(400_000)
        assert not self.waiting
        assert self.group is None or self.group.state is ClassicGroupState.EMPTY


TestGroupLife = GroupLife.TestCase
TestGroupLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
