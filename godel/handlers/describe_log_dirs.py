"""DescribeLogDirs (key 35): the data directory, what is in it and how big it is (KIP-113).

v2: flexible. v3: a top-level error. v4: size of the volume (KIP-827), -1 in memory. v5: is_cordoned
(KIP-1066), never. Topics null asks for all partitions; what does not exist is left out. The sizes
are those of the segments, as in Kafka. Other requests are let in between while sizes are collected.
"""

from __future__ import annotations

import anyio.lowlevel

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.protocol.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from godel.records.partition_log import LogStore
from godel.types import TopicPartition

AT_A_TIME = 100
"""Logs that nobody has opened are looked at on the disk."""


async def handle(
    context: RequestContext, request: DescribeLogDirsRequest
) -> DescribeLogDirsResponse:
    topics = context.broker.metadata.image.topics
    wanted: dict[str, dict[int, None]] = {}
    if request.topics is None:
        wanted = {
            name: dict.fromkeys(range(len(topic.partitions))) for name, topic in topics.items()
        }
    for asked in request.topics or ():
        topic = topics.get(asked.topic)
        if topic is not None:
            there = range(len(topic.partitions))
            indexes = dict.fromkeys(index for index in asked.partitions if index in there)
            wanted.setdefault(asked.topic, {}).update(indexes)
    return DescribeLogDirsResponse(results=[await describe(context.broker.logs, wanted)])


async def describe(logs: LogStore, wanted: dict[str, dict[int, None]]) -> DescribeLogDirsResult:
    directory = logs.directory()
    result = DescribeLogDirsResult(
        log_dir=directory.path,
        total_bytes=directory.total_bytes,
        usable_bytes=directory.usable_bytes,
    )
    looked_at = 0
    for name, indexes in wanted.items():
        partitions = []
        for index in indexes:
            try:
                size_bytes = logs.size_bytes(TopicPartition(name, index))
            except OSError:
                return DescribeLogDirsResult(ErrorCode.KAFKA_STORAGE_ERROR, directory.path)
            partitions.append(DescribeLogDirsPartition(index, size_bytes))
            looked_at += 1
            if looked_at % AT_A_TIME == 0:
                await anyio.lowlevel.checkpoint()
        if partitions:
            result.topics.append(DescribeLogDirsTopic(name, partitions))
    return result
