"""OffsetFetch in every version that is served."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers import offset_fetch
from godel.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from tests.handlers.group_surroundings import GroupBroker, on_the_wire
from tests.handlers.test_offset_commit import commit

pytestmark = pytest.mark.anyio


def named(*topics: tuple[str, list[int]]) -> OffsetFetchRequest:
    return OffsetFetchRequest(
        group_id="g",
        topics=[OffsetFetchRequestTopic(name=name, partition_indexes=ps) for name, ps in topics],
    )


@pytest.mark.parametrize("version", range(1, 8))
async def test_one_group(version: int) -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 1, 5)], metadata="note")
    request = named(("t", [1, 0]), ("nope", [0]))
    reply = on_the_wire(offset_fetch.handle(broker.context(version), request), version)
    epoch = 2 if version >= 5 else -1
    assert reply.error_code == 0
    assert [
        (t.name, p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata)
        for t in reply.topics
        for p in t.partitions
    ] == [("t", 1, 5, epoch, "note"), ("t", 0, -1, -1, ""), ("nope", 0, -1, -1, "")]


@pytest.mark.parametrize("version", range(2, 8))
async def test_all_that_a_group_has(version: int) -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 1, 5), ("u", 0, 6)])
    request = OffsetFetchRequest(group_id="g", topics=None)
    reply = on_the_wire(offset_fetch.handle(broker.context(version), request), version)
    assert [(t.name, t.partitions[0].committed_offset) for t in reply.topics] == [
        ("t", 5),
        ("u", 6),
    ]


async def test_several_groups() -> None:
    broker = GroupBroker()
    commit(broker, 8, [("t", 1, 5)], group_id="a")
    request = OffsetFetchRequest(
        groups=[
            OffsetFetchRequestGroup(group_id="a", topics=None),
            OffsetFetchRequestGroup(
                group_id="b", topics=[OffsetFetchRequestTopics(name="t", partition_indexes=[1])]
            ),
            OffsetFetchRequestGroup(group_id="c", topics=None),
        ],
        require_stable=True,
    )
    reply = on_the_wire(offset_fetch.handle(broker.context(8), request), 8)
    assert [
        (g.group_id, g.error_code, [p.committed_offset for t in g.topics for p in t.partitions])
        for g in reply.groups
    ] == [("a", 0, [5]), ("b", 0, [-1]), ("c", 0, [])]


@pytest.mark.parametrize("version", range(1, 9))
async def test_no_coordinator(version: int) -> None:
    broker = GroupBroker(has_offsets_topic=False)
    request = named(("t", [0]))
    if version >= 8:
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
    reply = on_the_wire(offset_fetch.handle(broker.context(version), request), version)
    if version >= 8:
        assert reply.groups[0].error_code == ErrorCode.NOT_COORDINATOR
    elif version >= 2:
        assert (reply.error_code, reply.topics) == (ErrorCode.NOT_COORDINATOR, [])
    else:
        assert reply.topics[0].partitions[0].error_code == ErrorCode.NOT_COORDINATOR
