"""OffsetCommit in every version that is served."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from godel.errors import ErrorCode
from godel.handlers import offset_commit
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from tests.handlers.group_surroundings import GroupBroker, on_the_wire

pytestmark = pytest.mark.anyio


def commit(
    broker: GroupBroker,
    version: int,
    offsets: Sequence[tuple[str, int, int]],
    *,
    group_id: str = "g",
    generation: int = -1,
    metadata: str | None = None,
) -> list[tuple[str, int, ErrorCode]]:
    request = OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=generation,
        topics=[
            OffsetCommitRequestTopic(
                name=topic,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=index,
                        committed_offset=offset,
                        committed_leader_epoch=2,
                        committed_metadata=metadata,
                    )
                ],
            )
            for topic, index, offset in offsets
        ],
    )
    reply = on_the_wire(offset_commit.handle(broker.context(version), request), version)
    return [
        (topic.name, partition.partition_index, ErrorCode(partition.error_code))
        for topic in reply.topics
        for partition in topic.partitions
    ]


@pytest.mark.parametrize("version", range(2, 9))
async def test_each_partition_has_its_answer(version: int) -> None:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    asked = [("t", 0, 5), ("t", 2, 5), ("t", -1, 5), ("nope", 0, 5)]
    assert commit(GroupBroker(), version, asked) == [
        ("t", 0, ErrorCode.NONE),
        ("t", 2, unknown),
        ("t", -1, unknown),
        ("nope", 0, unknown),
    ]


async def test_metadata_has_a_limit() -> None:
    broker = GroupBroker()
    asked = [("t", 0, 5)]
    assert commit(broker, 8, asked, metadata="x" * 4_096)[0][2] is ErrorCode.NONE
    too_large = commit(broker, 8, asked, metadata="x" * 4_097)
    assert too_large[0][2] is ErrorCode.OFFSET_METADATA_TOO_LARGE


async def test_where_nothing_can_be_stored_the_group_is_not_asked() -> None:
    broker = GroupBroker(has_offsets_topic=False)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert commit(broker, 8, [("nope", 0, 5)]) == [("nope", 0, unknown)]
    assert commit(broker, 8, [("t", 0, 5)]) == [("t", 0, ErrorCode.NOT_COORDINATOR)]


async def test_a_generation_without_a_group() -> None:
    asked = [("t", 0, 5)]
    assert commit(GroupBroker(), 8, asked, generation=1)[0][2] is ErrorCode.ILLEGAL_GENERATION
