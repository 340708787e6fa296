"""OffsetCommit (key 8): store offsets of a group.

v9 also serves KIP-848 groups, v10 names topics by id.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, until
from godel.protocol.types import int16, int32, int64, string, uuid


class OffsetCommitRequest(Message, api_key=8, versions=(2, 10), flexible_since=8):
    """Offsets to store."""

    group_id: string = ""
    generation_id_or_member_epoch: int32 = -1  # -1: not a member
    member_id: string = ""
    group_instance_id: string | None = since(7, default=None)  # KIP-345
    retention_time_ms: int64 = until(4, default=-1, ignorable=True)
    topics: list[OffsetCommitRequestTopic] = field()


class OffsetCommitRequestTopic(Message):
    """The part of one topic."""

    name: string = until(9, ignorable=True)
    topic_id: uuid = since(10, ignorable=True)
    partitions: list[OffsetCommitRequestPartition] = field()


class OffsetCommitRequestPartition(Message):
    """The offset of one partition."""

    partition_index: int32 = 0
    committed_offset: int64 = 0
    committed_leader_epoch: int32 = since(6, default=-1, ignorable=True)  # -1: not known
    committed_metadata: string | None = ""


class OffsetCommitResponse(Message, api_key=8, versions=(2, 10), flexible_since=8):
    """What became of each offset."""

    throttle_time_ms: int32 = since(3, ignorable=True)
    topics: list[OffsetCommitResponseTopic] = field()


class OffsetCommitResponseTopic(Message):
    """The part of one topic."""

    name: string = until(9, ignorable=True)
    topic_id: uuid = since(10, ignorable=True)
    partitions: list[OffsetCommitResponsePartition] = field()


class OffsetCommitResponsePartition(Message):
    """The outcome for one partition."""

    partition_index: int32 = 0
    error_code: int16 = 0
