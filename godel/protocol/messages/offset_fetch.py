"""OffsetFetch (key 9): read the offsets a group has committed.

v8 asks for several groups at once (KIP-709): the top-level fields end with v7. v10 names topics
by id.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, until
from godel.protocol.types import int16, int32, int64, string, uuid


class OffsetFetchRequest(Message, api_key=9, versions=(1, 10), flexible_since=6):
    """Which offsets to read."""

    group_id: string = until(7)
    # null: every topic with an offset
    topics: list[OffsetFetchRequestTopic] | None = until(7, nullable_since=2)
    groups: list[OffsetFetchRequestGroup] = since(8)
    require_stable: bool = since(7)  # refuse offsets with an open transaction (KIP-447)


class OffsetFetchRequestTopic(Message):
    """Partitions of one topic, up to v7."""

    name: string = ""
    partition_indexes: list[int32] = field()


class OffsetFetchRequestGroup(Message):
    """One group to ask about."""

    group_id: string = ""
    member_id: string | None = since(9, default=None, ignorable=True)  # members of KIP-848 groups
    member_epoch: int32 = since(9, default=-1, ignorable=True)
    topics: list[OffsetFetchRequestTopics] | None = field()  # null: every topic with an offset


class OffsetFetchRequestTopics(Message):
    """Partitions of one topic, since v8."""

    name: string = until(9, ignorable=True)
    topic_id: uuid = since(10, ignorable=True)
    partition_indexes: list[int32] = field()


class OffsetFetchResponse(Message, api_key=9, versions=(1, 10), flexible_since=6):
    """The committed offsets."""

    throttle_time_ms: int32 = since(3, ignorable=True)
    topics: list[OffsetFetchResponseTopic] = until(7)
    error_code: int16 = since(2, until=7, ignorable=True)
    groups: list[OffsetFetchResponseGroup] = since(8)


class OffsetFetchResponseTopic(Message):
    """The part of one topic, up to v7."""

    name: string = ""
    partitions: list[OffsetFetchResponsePartition] = field()


class OffsetFetchResponsePartition(Message):
    """One committed offset, up to v7; -1 when there is none."""

    partition_index: int32 = 0
    committed_offset: int64 = 0
    committed_leader_epoch: int32 = since(5, default=-1, ignorable=True)
    metadata: string | None = ""
    error_code: int16 = 0


class OffsetFetchResponseGroup(Message):
    """The answer for one group."""

    group_id: string = ""
    topics: list[OffsetFetchResponseTopics] = field()
    error_code: int16 = 0


class OffsetFetchResponseTopics(Message):
    """The part of one topic, since v8."""

    name: string = until(9, ignorable=True)
    topic_id: uuid = since(10, ignorable=True)
    partitions: list[OffsetFetchResponsePartitions] = field()


class OffsetFetchResponsePartitions(Message):
    """One committed offset, since v8; -1 when there is none."""

    partition_index: int32 = 0
    committed_offset: int64 = 0
    committed_leader_epoch: int32 = -1
    metadata: string | None = ""
    error_code: int16 = 0
