"""LeaveGroup in every version."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import leave_group
from godel.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_sync_group import member_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("version", range(3))
async def test_one_member(version: int) -> None:
    broker = GroupBroker()
    member = member_of(broker)
    for expected in (ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID):
        request = LeaveGroupRequest(group_id="g", member_id=member)
        reply = on_the_wire(leave_group.handle(broker.context(version), request), version)
        assert (reply.error_code, reply.members) == (expected, [])


@pytest.mark.parametrize("version", range(3, 6))
async def test_a_list_of_members(version: int) -> None:
    broker = GroupBroker()
    member = member_of(broker)
    request = LeaveGroupRequest(
        group_id="g",
        members=[
            MemberIdentity(member_id=member),
            MemberIdentity(member_id="x"),
            MemberIdentity(member_id="", group_instance_id="i"),
        ],
    )
    reply = on_the_wire(leave_group.handle(broker.context(version), request), version)
    assert reply.error_code == ErrorCode.NONE
    assert [(m.member_id, m.group_instance_id, m.error_code) for m in reply.members] == [
        (member, None, ErrorCode.NONE),
        ("x", None, ErrorCode.UNKNOWN_MEMBER_ID),
        ("", "i", ErrorCode.UNKNOWN_MEMBER_ID),
    ]


async def test_an_empty_list() -> None:
    broker = GroupBroker()
    member_of(broker)
    reply = on_the_wire(leave_group.handle(broker.context(5), LeaveGroupRequest(group_id="g")), 5)
    assert (reply.error_code, reply.members) == (ErrorCode.NONE, [])
