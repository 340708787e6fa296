"""FindCoordinator in every version."""

from __future__ import annotations

from inspect import isawaitable

import pytest

from godel.errors import ApiError, ErrorCode
from godel.handlers import find_coordinator
from godel.protocol.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from tests.handlers.group_surroundings import GroupBroker, on_the_wire

pytestmark = pytest.mark.anyio


async def asked(broker: GroupBroker, version: int, key_type: int = 0) -> FindCoordinatorResponse:
    request = FindCoordinatorRequest(key="g", key_type=key_type, coordinator_keys=["g", "h"])
    reply = find_coordinator.handle(broker.context(version), request)
    return on_the_wire(await reply if isawaitable(reply) else reply, version)


@pytest.mark.parametrize("version", range(4))
async def test_one_key(version: int) -> None:
    reply = await asked(GroupBroker(has_offsets_topic=False), version)
    assert (reply.error_code, reply.node_id, reply.host, reply.port) == (0, 4, "advertised", 9092)


@pytest.mark.parametrize("version", range(4, 7))
async def test_several_keys(version: int) -> None:
    reply = await asked(GroupBroker(has_offsets_topic=False), version)
    assert [(c.key, c.error_code, c.node_id, c.host, c.port) for c in reply.coordinators] == [
        ("g", 0, 4, "advertised", 9092),
        ("h", 0, 4, "advertised", 9092),
    ]


@pytest.mark.parametrize("version", range(1, 7))
@pytest.mark.parametrize("key_type", [1, 2, 9])
async def test_what_does_not_exist_yet_is_refused(version: int, key_type: int) -> None:
    reply = await asked(GroupBroker(), version, key_type)
    refusals = reply.coordinators if version >= 4 else [reply]
    for refusal in refusals:
        assert refusal.error_code == ErrorCode.INVALID_REQUEST
        assert (refusal.node_id, refusal.host, refusal.port) == (-1, "", -1)


@pytest.mark.parametrize("version", range(7))
async def test_the_offsets_topic_cannot_be_made(version: int) -> None:
    broker = GroupBroker(has_offsets_topic=False)
    broker.offsets_topic_error = ApiError(ErrorCode.KAFKA_STORAGE_ERROR, "disk full")
    reply = await asked(broker, version)
    refusals = reply.coordinators if version >= 4 else [reply]
    assert refusals[0].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert refusals[0].node_id == -1
