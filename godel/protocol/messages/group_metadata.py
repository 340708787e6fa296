"""group_metadata messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged
from godel.protocol.types import bytes_, int32, int64, string, uuid


class OffsetCommitKey(Message, versions=(0, 0)):
    """TODO."""

    group: string = ""
    topic: string = ""
    partition: int32 = 0


class OffsetCommitValue(Message, versions=(0, 4), flexible_since=4):
    """TODO."""

    offset: int64 = 0
    leader_epoch: int32 = since(3, default=-1, ignorable=True)
    metadata: string = ""
    commit_timestamp: int64 = 0
    expire_timestamp: int64 = since(1, until=1, default=-1, ignorable=True)
    topic_id: uuid = tagged(0, since=4, ignorable=True)


class GroupMetadataKey(Message, versions=(0, 0)):
    """TODO."""

    group: string = ""


class GroupMetadataValue(Message, versions=(0, 4), flexible_since=4):
    """TODO."""

    protocol_type: string = ""
    generation: int32 = 0
    protocol: string | None = ""
    leader: string | None = ""
    current_state_timestamp: int64 = since(2, default=-1, ignorable=True)
    members: list[MemberMetadata] = field()


class MemberMetadata(Message):
    """TODO."""

    member_id: string = ""
    group_instance_id: string | None = since(3, default=None, ignorable=True)
    client_id: string = ""
    client_host: string = ""
    rebalance_timeout: int32 = since(1, default=-1, ignorable=True)
    session_timeout: int32 = 0
    subscription: bytes_ = b""
    assignment: bytes_ = b""
