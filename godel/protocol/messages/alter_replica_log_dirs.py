"""AlterReplicaLogDirs (key 34): move replicas between the log directories of a broker (KIP-113)."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class AlterReplicaLogDirsRequest(Message, api_key=34, versions=(1, 2), flexible_since=2):
    """What to move where."""

    dirs: list[AlterReplicaLogDir] = field()


class AlterReplicaLogDir(Message):
    """What shall be in one directory."""

    path: string = ""
    topics: list[AlterReplicaLogDirTopic] = field()


class AlterReplicaLogDirTopic(Message):
    """The partitions of one topic."""

    name: string = ""
    partitions: list[int32] = field()


class AlterReplicaLogDirsResponse(Message, api_key=34, versions=(1, 2), flexible_since=2):
    """What became of it."""

    throttle_time_ms: int32 = 0
    results: list[AlterReplicaLogDirTopicResult] = field()


class AlterReplicaLogDirTopicResult(Message):
    """The part of one topic."""

    topic_name: string = ""
    partitions: list[AlterReplicaLogDirPartitionResult] = field()


class AlterReplicaLogDirPartitionResult(Message):
    """The outcome for one partition."""

    partition_index: int32 = 0
    error_code: int16 = 0
