"""OffsetDelete: what a group may forget, and when."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import join_group, offset_delete, offset_fetch, sync_group
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from godel.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from godel.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
)
from godel.protocol.messages.sync_group import SyncGroupRequest
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_offset_commit import commit

pytestmark = pytest.mark.anyio

SUBSCRIBES_TO_T = b"\0\0" + b"\0\0\0\1" + b"\0\1t" + b"\xff\xff\xff\xff"


def forget(broker: GroupBroker, *partitions: tuple[str, int], group: str = "g") -> list[int] | int:
    """The partitions' errors, or the group's."""
    request = OffsetDeleteRequest(
        group,
        [
            OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(index)])
            for topic, index in partitions
        ],
    )
    reply = on_the_wire(offset_delete.handle(broker.context(0), request), 0)
    assert isinstance(reply, OffsetDeleteResponse)
    if reply.error_code:
        assert reply.topics == []
        return reply.error_code
    assert [topic.name for topic in reply.topics] == [topic for topic, _ in partitions]
    return [partition.error_code for topic in reply.topics for partition in topic.partitions]


def committed(broker: GroupBroker, group: str = "g") -> list[tuple[str, int]]:
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group, topics=None)])
    reply = on_the_wire(offset_fetch.handle(broker.context(8), request), 8)
    assert isinstance(reply, OffsetFetchResponse)
    (answered,) = reply.groups
    return [(t.name, p.partition_index) for t in answered.topics for p in t.partitions]


def join(broker: GroupBroker, protocol_type: str, metadata: bytes) -> None:
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=30_000,
        rebalance_timeout_ms=30_000,
        protocol_type=protocol_type,
        protocols=[JoinGroupRequestProtocol("range", metadata)],
    )
    joined = on_the_wire(join_group.handle(broker.context(3), request), 3)
    sync = SyncGroupRequest(
        group_id="g", generation_id=joined.generation_id, member_id=joined.member_id
    )
    assert on_the_wire(sync_group.handle(broker.context(2), sync), 2).error_code == 0


async def test_a_group_without_members_forgets_anything() -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 0, 5), ("t", 1, 5), ("u", 0, 5)])
    assert forget(broker, ("t", 0), ("t", 9), ("nope", 0), ("u", 0), ("u", 0)) == [
        0,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        0,
        0,
    ]
    assert committed(broker) == [("t", 1)]
    assert forget(broker, ("t", 0), ("t", 1)) == [0, 0]
    assert committed(broker) == []


async def test_consumers_keep_the_offsets_of_what_they_read() -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 0, 5), ("u", 0, 5)])
    join(broker, "consumer", SUBSCRIBES_TO_T)
    assert forget(broker, ("t", 0), ("u", 0)) == [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0]
    assert committed(broker) == [("t", 0)]


async def test_a_subscription_that_cannot_be_read_may_be_to_anything() -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 0, 5)])
    join(broker, "consumer", b"\0")
    assert forget(broker, ("t", 0)) == [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC]


async def test_members_that_are_no_consumers() -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 0, 5)])
    join(broker, "connect", b"")
    assert forget(broker, ("t", 0)) == ErrorCode.NON_EMPTY_GROUP
    assert committed(broker) == [("t", 0)]


async def test_groups_that_there_are_not() -> None:
    broker = GroupBroker()
    assert forget(broker, ("t", 0)) == ErrorCode.GROUP_ID_NOT_FOUND
    assert forget(broker, ("t", 0), group="") == ErrorCode.INVALID_GROUP_ID
    nobody = GroupBroker(has_offsets_topic=False)
    assert forget(nobody, ("t", 0)) == ErrorCode.NOT_COORDINATOR
