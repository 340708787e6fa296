"""Heartbeat in every version."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import heartbeat
from godel.protocol.messages.heartbeat import HeartbeatRequest
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_sync_group import member_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("version", range(5))
async def test_it_is_answered_at_once(version: int) -> None:
    broker = GroupBroker()
    member = member_of(broker)

    def beat(member_id: str, generation: int) -> int:
        request = HeartbeatRequest(group_id="g", generation_id=generation, member_id=member_id)
        return on_the_wire(heartbeat.handle(broker.context(version), request), version).error_code

    assert beat(member, 1) == ErrorCode.NONE
    assert beat(member, 2) == ErrorCode.ILLEGAL_GENERATION
    assert beat("x", 1) == ErrorCode.UNKNOWN_MEMBER_ID
