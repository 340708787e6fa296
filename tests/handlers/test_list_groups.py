"""ListGroups in every version."""

from __future__ import annotations

import pytest

from godel.handlers import list_groups
from godel.protocol.messages.list_groups import ListGroupsRequest
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_sync_group import member_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("version", range(6))
async def test_groups_are_listed(version: int) -> None:
    broker = GroupBroker()
    member_of(broker)
    reply = on_the_wire(list_groups.handle(broker.context(version), ListGroupsRequest()), version)
    (group,) = reply.groups
    assert (group.group_id, group.protocol_type) == ("g", "consumer")
    assert group.group_state == ("CompletingRebalance" if version >= 4 else "")
    assert group.group_type == ("classic" if version >= 5 else "")


async def test_filters() -> None:
    broker = GroupBroker()
    member_of(broker)

    def count(states: list[str], types: list[str]) -> int:
        request = ListGroupsRequest(states_filter=states, types_filter=types)
        return len(list_groups.handle(broker.context(5), request).groups)

    assert count(["completingREBALANCE"], ["CLASSIC"]) == 1
    assert count(["Stable"], []) == 0
    assert count([], ["share"]) == 0
