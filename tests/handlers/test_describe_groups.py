"""DescribeGroups in every version."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import describe_groups
from godel.protocol.messages.describe_groups import DescribeGroupsRequest
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_sync_group import member_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("version", range(7))
async def test_a_known_and_an_unknown_group(version: int) -> None:
    broker = GroupBroker()
    member = member_of(broker)
    request = DescribeGroupsRequest(groups=["g", "nobody"])
    reply = on_the_wire(describe_groups.handle(broker.context(version), request), version)
    known, unknown = reply.groups
    assert (known.group_state, known.protocol_type) == ("CompletingRebalance", "consumer")
    assert [(m.member_id, m.client_id, m.client_host) for m in known.members] == [
        (member, "client", "/127.0.0.1")
    ]
    assert known.authorized_operations == -(2**31)
    assert unknown.group_state == "Dead"
    if version >= 6:
        assert unknown.error_code == ErrorCode.GROUP_ID_NOT_FOUND
        assert unknown.error_message == "Group nobody not found."
    else:
        assert unknown.error_code == ErrorCode.NONE


@pytest.mark.parametrize("version", range(3, 7))
async def test_authorized_operations_are_told_to_those_who_ask(version: int) -> None:
    broker = GroupBroker()
    member_of(broker)
    request = DescribeGroupsRequest(groups=["g", "nobody"], include_authorized_operations=True)
    reply = on_the_wire(describe_groups.handle(broker.context(version), request), version)
    known, unknown = reply.groups
    assert known.authorized_operations == 3400
    assert unknown.authorized_operations == (-(2**31) if version >= 6 else 3400)
