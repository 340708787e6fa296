"""Records of `__consumer_offsets`: committed offsets and the state of classic groups.

Keys and values carry an int16 before what is declared here: in a key it says which of the kinds
it is, in a value its version. That prefix is written and read by the coordinator.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged
from godel.protocol.types import bytes_, int32, int64, string, uuid


class OffsetCommitKey(Message, versions=(0, 0)):
    """Key of a committed offset (kinds 0 and 1)."""

    group: string = ""
    topic: string = ""
    partition: int32 = 0


class OffsetCommitValue(Message, versions=(0, 4), flexible_since=4):
    """A committed offset. New fields since v4 are tags only (KIP-915)."""

    offset: int64 = 0
    leader_epoch: int32 = since(3, default=-1, ignorable=True)
    metadata: string = ""
    commit_timestamp: int64 = 0
    # -1: by the retention of the broker
    expire_timestamp: int64 = since(1, until=1, default=-1, ignorable=True)
    # so that a recreated topic does not inherit offsets
    topic_id: uuid = tagged(0, since=4, ignorable=True)


class GroupMetadataKey(Message, versions=(0, 0)):
    """Key of a classic group's state (kind 2)."""

    group: string = ""


class GroupMetadataValue(Message, versions=(0, 4), flexible_since=4):
    """A generation of a classic group. New fields since v4 are tags only (KIP-915)."""

    protocol_type: string = ""
    generation: int32 = 0
    protocol: string | None = ""  # null while the group is empty
    leader: string | None = ""  # null while the group is empty
    current_state_timestamp: int64 = since(2, default=-1, ignorable=True)
    members: list[MemberMetadata] = field()


class MemberMetadata(Message):
    """A member of that generation."""

    member_id: string = ""
    group_instance_id: string | None = since(3, default=None, ignorable=True)
    client_id: string = ""
    client_host: string = ""
    rebalance_timeout: int32 = since(1, default=-1, ignorable=True)  # in v0 the session timeout
    session_timeout: int32 = 0
    subscription: bytes_ = b""
    assignment: bytes_ = b""
