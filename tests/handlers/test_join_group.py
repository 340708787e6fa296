"""JoinGroup in every version."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import join_group
from godel.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from tests.handlers.group_surroundings import GroupBroker, on_the_wire

pytestmark = pytest.mark.anyio


def request(member_id: str = "", **fields: object) -> JoinGroupRequest:
    values = {"group_id": "g", "session_timeout_ms": 10_000, "protocol_type": "consumer", **fields}
    return JoinGroupRequest(
        member_id=member_id,
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"meta")],
        **values,  # type: ignore[arg-type]  # any field
    )


def joined(broker: GroupBroker, version: int, asked: JoinGroupRequest) -> JoinGroupResponse:
    return on_the_wire(join_group.handle(broker.context(version), asked), version)


@pytest.mark.parametrize("version", range(4))
async def test_old_clients_are_let_in_at_once(version: int) -> None:
    reply = joined(GroupBroker(), version, request())
    assert (reply.error_code, reply.generation_id, reply.protocol_name) == (0, 1, "range")
    assert reply.leader == reply.member_id
    assert [(m.member_id, m.metadata) for m in reply.members] == [(reply.member_id, b"meta")]


@pytest.mark.parametrize("version", range(4, 10))
async def test_new_clients_are_first_given_an_id(version: int) -> None:
    broker = GroupBroker()
    refused = joined(broker, version, request())
    assert refused.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert refused.member_id.startswith("client-")
    assert len(refused.member_id) == len("client-") + 36
    assert refused.protocol_name == (None if version >= 7 else "")
    reply = joined(broker, version, request(refused.member_id))
    assert (reply.error_code, reply.member_id) == (0, refused.member_id)
    assert reply.protocol_type == ("consumer" if version >= 7 else None)


@pytest.mark.parametrize("version", range(5, 10))
async def test_a_static_member_s_id_begins_with_its_instance(version: int) -> None:
    reply = joined(GroupBroker(), version, request(group_instance_id="i1"))
    assert reply.error_code == 0
    assert reply.member_id.startswith("i1-")
    assert reply.members[0].group_instance_id == "i1"


@pytest.mark.parametrize("version", range(10))
async def test_errors_have_no_protocol(version: int) -> None:
    reply = joined(GroupBroker(), version, request(session_timeout_ms=1))
    assert reply.error_code == ErrorCode.INVALID_SESSION_TIMEOUT
    assert reply.protocol_name == (None if version >= 7 else "")
    assert reply.generation_id == -1


async def test_a_client_without_a_name() -> None:
    broker = GroupBroker()
    reply = join_group.handle(broker.context(9, client_id=None), request())
    assert isinstance(reply, JoinGroupResponse)
    assert reply.member_id.startswith("-")
