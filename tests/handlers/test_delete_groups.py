"""DeleteGroups in every version."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import delete_groups
from godel.protocol.messages.delete_groups import DeleteGroupsRequest
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_offset_commit import commit
from tests.handlers.test_sync_group import member_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("version", range(4))
async def test_only_groups_without_members(version: int) -> None:
    broker = GroupBroker()
    member_of(broker)
    commit(broker, 8, [("t", 0, 5)], group_id="idle")
    request = DeleteGroupsRequest(groups_names=["g", "idle", "nobody"])
    reply = on_the_wire(delete_groups.handle(broker.context(version), request), version)
    assert [(r.group_id, r.error_code) for r in reply.results] == [
        ("g", ErrorCode.NON_EMPTY_GROUP),
        ("idle", ErrorCode.NONE),
        ("nobody", ErrorCode.GROUP_ID_NOT_FOUND),
    ]
    assert (reply.results[0].error_message is not None) == (version >= 3)
