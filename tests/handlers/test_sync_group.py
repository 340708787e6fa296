"""SyncGroup in every version."""

from __future__ import annotations

import asyncio
from inspect import isawaitable

import pytest

from godel.errors import ErrorCode
from godel.handlers import join_group, sync_group
from godel.protocol.messages.join_group import JoinGroupResponse
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_join_group import request as join_request

pytestmark = pytest.mark.anyio


def member_of(broker: GroupBroker) -> str:
    joined = join_group.handle(broker.context(3), join_request())
    assert isinstance(joined, JoinGroupResponse)
    return joined.member_id


def protocol(version: int) -> dict[str, str]:
    return {"protocol_type": "consumer", "protocol_name": "range"} if version >= 5 else {}


@pytest.mark.parametrize("version", range(6))
async def test_the_leader_gets_its_own_assignment(version: int) -> None:
    broker = GroupBroker()
    leader = member_of(broker)
    request = SyncGroupRequest(
        group_id="g",
        generation_id=1,
        member_id=leader,
        assignments=[SyncGroupRequestAssignment(member_id=leader, assignment=b"all")],
        **protocol(version),
    )
    reply = on_the_wire(sync_group.handle(broker.context(version), request), version)
    assert (reply.error_code, reply.assignment) == (0, b"all")
    assert reply.protocol_name == ("range" if version >= 5 else None)


async def test_the_protocol_must_be_named_from_version_5_on() -> None:
    broker = GroupBroker()
    request = SyncGroupRequest(group_id="g", generation_id=1, member_id=member_of(broker))
    reply = on_the_wire(sync_group.handle(broker.context(5), request), 5)
    assert reply.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


@pytest.mark.parametrize("version", range(6))
async def test_a_stranger(version: int) -> None:
    request = SyncGroupRequest(group_id="g", generation_id=1, member_id="x", **protocol(version))
    reply = on_the_wire(sync_group.handle(GroupBroker().context(version), request), version)
    assert (reply.error_code, reply.assignment) == (ErrorCode.UNKNOWN_MEMBER_ID, b"")


async def test_a_follower_waits_for_the_leader() -> None:
    broker = GroupBroker()
    leader = member_of(broker)
    second = join_group.handle(broker.context(3), join_request())
    assert isawaitable(second)
    waiting = asyncio.ensure_future(second)
    join_group.handle(broker.context(3), join_request(leader))
    follower = (await waiting).member_id
    reply = sync_group.handle(
        broker.context(4), SyncGroupRequest(group_id="g", generation_id=2, member_id=follower)
    )
    assert isawaitable(reply)
    assignment = SyncGroupRequestAssignment(member_id=follower, assignment=b"part")
    sync_group.handle(
        broker.context(4),
        SyncGroupRequest(group_id="g", generation_id=2, member_id=leader, assignments=[assignment]),
    )
    assert (await reply).assignment == b"part"
