"""DescribeLogDirs (key 35): log directories, what is in them and how big it is (KIP-113)."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int16, int32, int64, string


class DescribeLogDirsRequest(Message, api_key=35, versions=(1, 5), flexible_since=2):
    """Which partitions to tell about."""

    topics: list[DescribableLogDirTopic] | None = field()  # null: all


class DescribableLogDirTopic(Message):
    """The partitions of one topic."""

    topic: string = ""
    partitions: list[int32] = field()


class DescribeLogDirsResponse(Message, api_key=35, versions=(1, 5), flexible_since=2):
    """Every log directory."""

    throttle_time_ms: int32 = 0
    error_code: int16 = since(3, ignorable=True)
    results: list[DescribeLogDirsResult] = field()


class DescribeLogDirsResult(Message):
    """One log directory."""

    error_code: int16 = 0
    log_dir: string = ""
    topics: list[DescribeLogDirsTopic] = field()
    # Of the volume; -1: unknown
    total_bytes: int64 = since(4, default=-1, ignorable=True)
    usable_bytes: int64 = since(4, default=-1, ignorable=True)
    is_cordoned: bool = since(5, ignorable=True)


class DescribeLogDirsTopic(Message):
    """The part of one topic."""

    name: string = ""
    partitions: list[DescribeLogDirsPartition] = field()


class DescribeLogDirsPartition(Message):
    """One partition in a directory."""

    partition_index: int32 = 0
    partition_size: int64 = 0
    offset_lag: int64 = 0
    is_future_key: bool = False
