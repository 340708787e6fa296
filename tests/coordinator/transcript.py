"""A tiny interpreter for stories about groups: `scenarios/*.txt`.

A line that begins with `> ` is a command, the lines behind it are what it printed, `#` begins a
comment. Members are called by nicknames; their real ids never show. Commands:

settings key=value ...        the coordinator's settings, before anything else
join NAME [v=9] [instance=i] [protocols=range,sticky] [type=consumer] [session=10s]
     [rebalance=60s] [topics=t,u] [id=ID] [group=g]
sync NAME [NAME=assignment ...] [gen=1] [type=x] [protocol=x] [v=5]
heartbeat NAME [gen=1] [instance=i]
leave NAME ... [instance=i] [v=5]
commit NAME|- TOPIC:PARTITION=OFFSET ... [gen=1] [v=8] [metadata=x] [retention=10s]
fetch [TOPIC:PARTITION ...]   all without arguments
advance 3s                    fires every deadline on the way
describe | list | delete | records | restart
delete-topics TOPIC ...
appends fail | appends work
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from godel.clock import Randomness
from godel.coordinator.decision import Caller, Decision, Instant, Parked
from godel.coordinator.draft import GroupEnvironment
from godel.coordinator.group_coordinator import describe_group
from godel.coordinator.group_shard import GroupShard
from godel.coordinator.records import GroupRecord, from_bytes
from godel.coordinator.settings import GroupSettings
from godel.errors import ErrorCode
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from godel.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

START_MS = 1_000_000
TOPICS = {"t": 4, "u": 4}


def run(story: str) -> str:
    """The story with the outputs that its commands print now."""
    stage = Stage()
    lines = []
    for line in story.splitlines():
        if line.startswith("> "):
            lines.append(line)
            lines.extend(f"  {output}" for output in stage.execute(line[2:].split()))
        elif line.startswith("#") or not line.strip():
            lines.append(line)
    return "\n".join(lines).rstrip() + "\n"


def duration_ms(text: str) -> int:
    for unit, factor in (
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ):
        if text.endswith(unit) and text[: -len(unit)].isdigit():
            return int(text[: -len(unit)]) * factor
    raise ValueError(f"not a duration: {text}")


def subscription(topics: list[str]) -> bytes:
    parts = [struct.pack(">hi", 1, len(topics))]
    names = [topic.encode() for topic in topics]
    parts += [struct.pack(">h", len(name)) + name for name in names]
    return b"".join(parts) + struct.pack(">ii", -1, 0)


class Stage:
    """One shard, its log in memory, and who is who."""

    def __init__(self) -> None:
        self.settings: dict[str, int] = {}
        self.log: list[tuple[bytes, bytes | None]] = []
        self.environment = GroupEnvironment(GroupSettings(), Randomness(7))
        self.shard = GroupShard(self.environment)
        self.now_ms = START_MS
        self.shard.loaded(self.instant())
        self.appends_fail = False
        self.ids: dict[str, str] = {}
        self.generations: dict[str, int] = {}
        self.parked: dict[int, tuple[str, str]] = {}
        self.output: list[str] = []

    def instant(self) -> Instant:
        return Instant(self.now_ms, float(self.now_ms - START_MS))

    def execute(self, words: list[str]) -> list[str]:
        self.output = []
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        names = [word for word in words[1:] if "=" not in word]
        command: Callable[[list[str], dict[str, str]], None]
        command = getattr(self, "do_" + words[0].replace("-", "_"))
        command(names, options)
        return self.output

    def decide(self, decision: Decision[Any, Any], name: str, kind: str) -> Any:
        """What the runtime does: append, apply, wake. None: parked, or the append failed."""
        if decision.records and self.appends_fail:
            if decision.undo is not None:
                decision.undo()
            self.output.append(f"{name}: append failed")
            return None
        for record in decision.records:
            key, value = self.shard.encode(record)
            assert self.shard.decode(key, value) == record
            self.log.append((key, value))
            self.shard.apply(record)
        if isinstance(decision.reply, Parked):
            self.parked[decision.reply.ticket] = (name, kind)
            self.output.append(f"{name}: waits")
        for wake in decision.wake:
            woken, woken_kind = self.parked.pop(wake.ticket)
            self.show(woken, woken_kind, wake.reply)
        return None if isinstance(decision.reply, Parked) else decision.reply

    def nick(self, member_id: str) -> str:
        return next((name for name, known in self.ids.items() if known == member_id), member_id)

    def show(self, name: str, kind: str, reply: Any) -> None:
        if kind == "join":
            self.show_join(name, reply)
        else:
            self.show_sync(name, reply)

    def show_join(self, name: str, reply: JoinGroupResponse) -> None:
        code = ErrorCode(reply.error_code)
        if code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            self.ids[name] = reply.member_id
        if code is not ErrorCode.NONE:
            self.output.append(f"{name}: {code.name}")
            return
        self.generations[name] = reply.generation_id
        line = f"{name}: generation {reply.generation_id}, {reply.protocol_name}"
        leads = reply.leader == reply.member_id
        line += ", leads" if leads else ", follows " + self.nick(reply.leader)
        if reply.members:
            # The others may hear of their own ids later in the same wake.
            line += f", sees {len(reply.members)}"
        if reply.skip_assignment:
            line += ", skips the assignment"
        self.output.append(line)

    def show_sync(self, name: str, reply: SyncGroupResponse) -> None:
        code = ErrorCode(reply.error_code)
        text = f"assigned {reply.assignment.decode() or 'nothing'}"
        self.output.append(f"{name}: {text if code is ErrorCode.NONE else code.name}")

    # -- commands -----------------------------------------------------------------------------

    def do_settings(self, _: list[str], options: dict[str, str]) -> None:
        values = {key: duration_ms(v) if not v.isdigit() else int(v) for key, v in options.items()}
        self.environment.settings = GroupSettings(**values)
        self.shard.loaded(self.instant())

    def do_join(self, names: list[str], options: dict[str, str]) -> None:
        (name,) = names
        metadata = subscription(options.get("topics", "t").split(","))
        instance = options.get("instance")
        version = int(options.get("v", "9"))
        request = JoinGroupRequest(
            group_id=options.get("group", "g"),
            session_timeout_ms=duration_ms(options.get("session", "10s")),
            rebalance_timeout_ms=duration_ms(options.get("rebalance", "60s")) if version else -1,
            member_id=options.get("id", self.ids.get(name, "")),
            group_instance_id=instance,
            protocol_type=options.get("type", "consumer"),
            protocols=[
                JoinGroupRequestProtocol(name=protocol, metadata=metadata)
                for protocol in options.get("protocols", "range").split(",")
                if protocol
            ],
        )
        caller = Caller(version, name, "/127.0.0.1")
        reply = self.decide(self.shard.join(request, caller, self.instant()), name, "join")
        if reply is not None:
            self.show_join(name, reply)

    def do_sync(self, names: list[str], options: dict[str, str]) -> None:
        (name,) = names
        request = SyncGroupRequest(
            group_id="g",
            generation_id=int(options.pop("gen", self.generations.get(name, -1))),
            member_id=self.ids.get(name, name),
            group_instance_id=options.pop("instance", None),
            protocol_type=options.pop("type", None),
            protocol_name=options.pop("protocol", None),
            assignments=[
                SyncGroupRequestAssignment(member_id=self.ids.get(n, n), assignment=a.encode())
                for n, a in options.items()
            ],
        )
        reply = self.decide(self.shard.sync(request, self.instant()), name, "sync")
        if reply is not None:
            self.show_sync(name, reply)

    def do_heartbeat(self, names: list[str], options: dict[str, str]) -> None:
        for name in names:
            request = HeartbeatRequest(
                group_id=options.get("group", "g"),
                generation_id=int(options.get("gen", self.generations.get(name, -1))),
                member_id=self.ids.get(name, name),
                group_instance_id=options.get("instance"),
            )
            self.output.append(f"{name}: {self.shard.heartbeat(request, self.instant()).name}")

    def do_leave(self, names: list[str], options: dict[str, str]) -> None:
        instance = options.get("instance")
        version = int(options.get("v", "5"))
        members = [
            MemberIdentity(member_id=self.ids.get(name, name), group_instance_id=instance)
            for name in names
        ] or [MemberIdentity(member_id="", group_instance_id=instance)]
        request = LeaveGroupRequest(
            group_id="g", member_id=members[0].member_id, members=members if version >= 3 else []
        )
        caller = Caller(version, "x", "/127.0.0.1")
        reply = self.decide(self.shard.leave(request, caller, self.instant()), "leave", "leave")
        if reply is None:
            return
        if version < 3:
            self.output.append(f"left: {ErrorCode(reply.error_code).name}")
        for name, member in zip(names or [f"instance {instance}"], reply.members, strict=False):
            self.output.append(f"{name} left: {ErrorCode(member.error_code).name}")

    def do_commit(self, names: list[str], options: dict[str, str]) -> None:
        name = names[0]
        generation = int(options.pop("gen", self.generations.get(name, -1)))
        version = int(options.pop("v", "8"))
        metadata = options.pop("metadata", "")
        instance = options.pop("instance", None)
        retention = options.pop("retention", None)
        topics = []
        for target, offset in options.items():
            topic, partition = target.split(":")
            topics.append(
                OffsetCommitRequestTopic(
                    name=topic,
                    partitions=[
                        OffsetCommitRequestPartition(
                            partition_index=int(partition),
                            committed_offset=int(offset),
                            committed_leader_epoch=3,
                            committed_metadata=metadata * 2_000 if metadata == "long" else metadata,
                        )
                    ],
                )
            )
        request = OffsetCommitRequest(
            group_id="g",
            generation_id_or_member_epoch=generation,
            member_id="" if name == "-" else self.ids.get(name, name),
            group_instance_id=instance,
            retention_time_ms=-1 if retention is None else duration_ms(retention),
            topics=topics,
        )
        decision = self.shard.commit(
            request, lambda t, p: 0 <= p < TOPICS.get(t, 0), version, self.instant()
        )
        reply = self.decide(decision, name, "commit")
        for topic in reply.topics if reply is not None else ():
            for partition in topic.partitions:
                code = ErrorCode(partition.error_code).name
                self.output.append(f"{topic.name}:{partition.partition_index} {code}")

    def do_fetch(self, names: list[str], _: dict[str, str]) -> None:
        topics = None
        if names:
            pairs = [name.split(":") for name in names]
            topics = [(topic, [int(partition)]) for topic, partition in pairs]
        found = self.shard.fetch("g", topics)
        for topic, partitions in found:
            for index, committed in partitions:
                text = "nothing"
                if committed is not None:
                    text = f"{committed.offset} epoch {committed.leader_epoch}"
                    text += f" {committed.metadata[:10]!r}" if committed.metadata else ""
                self.output.append(f"{topic}:{index} {text}")
        if not found:
            self.output.append("nothing")

    def do_advance(self, names: list[str], _: dict[str, str]) -> None:
        target_ms = self.now_ms + duration_ms(names[0])
        while (due := self.shard.next_deadline_ms() + START_MS) <= target_ms:
            self.now_ms = max(self.now_ms, int(due))
            while (decision := self.shard.expire(self.instant())) is not None:
                before = len(self.output)
                self.decide(decision, "timer", "timer")
                stamp = f"at {(self.now_ms - START_MS) / 1000:g}s "
                self.output[before:] = [stamp + line for line in self.output[before:]]
        self.now_ms = target_ms

    def do_describe(self, _: list[str], options: dict[str, str]) -> None:
        group = describe_group(self.shard, "g", int(options.get("v", "5")))
        error = f" {ErrorCode(group.error_code).name}" if group.error_code else ""
        self.output.append(
            f"{group.group_state} {group.protocol_type} {group.protocol_data}".rstrip() + error
        )
        for member in group.members:
            line = f"{self.nick(member.member_id)} {member.client_id} {member.client_host}"
            line += f" instance {member.group_instance_id}" if member.group_instance_id else ""
            line += f" metadata {len(member.member_metadata)}"
            self.output.append(line + f" assigned {member.member_assignment.decode() or 'nothing'}")

    def do_list(self, _: list[str], __: dict[str, str]) -> None:
        for group in self.shard.groups.values():
            self.output.append(f"{group.id} {group.state.value}")
        if not self.shard.groups:
            self.output.append("no groups")

    def do_delete(self, _: list[str], __: dict[str, str]) -> None:
        reply = self.decide(self.shard.delete("g"), "delete", "delete")
        if reply is not None:
            self.output.append(ErrorCode(reply).name)

    def do_delete_topics(self, names: list[str], _: dict[str, str]) -> None:
        while self.decide(self.shard.delete_topics(frozenset(names)), "delete", "delete"):
            pass

    def do_records(self, _: list[str], __: dict[str, str]) -> None:
        self.output.extend(self.record_lines())

    def record_lines(self) -> Iterator[str]:
        for key, value in self.log:
            record = from_bytes(key, value)
            if isinstance(record, GroupRecord):
                if record.value is None:
                    yield f"group {record.key.group} removed"
                    continue
                members = " ".join(
                    f"{self.nick(m.member_id)}={m.assignment.decode()}"
                    for m in record.value.members
                )
                line = f"group {record.key.group} generation {record.value.generation} {members}"
                yield line.rstrip()
            elif record is not None:
                where = f"{record.key.topic}:{record.key.partition}"
                yield f"offset {where} " + (
                    "removed" if record.value is None else str(record.value.offset)
                )

    def do_restart(self, _: list[str], __: dict[str, str]) -> None:
        self.parked.clear()
        self.shard = GroupShard(self.environment)
        for key, value in self.log:
            record = self.shard.decode(key, value)
            if record is not None:
                self.shard.apply(record)
        self.shard.loaded(self.instant())

    def do_appends(self, names: list[str], _: dict[str, str]) -> None:
        self.appends_fail = names == ["fail"]
