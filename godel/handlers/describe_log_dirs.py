"""DescribeLogDirs (key 35): the data directories, what is in them and how big it is (KIP-113).

v2: flexible. v3: a top-level error. v4: size of the volume (KIP-827), -1 in memory. v5: is_cordoned
(KIP-1066), never. Topics null asks for all partitions; what does not exist is left out. The sizes
are those of the segments, as in Kafka. A directory that is offline answers KAFKA_STORAGE_ERROR.
Other requests are let in between while sizes are collected.

Deviation: Kafka takes a directory offline at the first error of its disk; here that costs the one
partition, and the directory goes offline when it also fails a trial (a file written and synced). A
full disk is no failure: records are refused with KAFKA_STORAGE_ERROR until there is space again.
"""

from __future__ import annotations

import anyio.lowlevel

from godel.broker.context import RequestContext
from godel.errors import ErrorCode, StorageFailed
from godel.protocol.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from godel.records.partition_log import FutureLog, LogStore
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
    return DescribeLogDirsResponse(results=await describe(context.broker.logs, wanted))


async def describe(
    logs: LogStore, wanted: dict[str, dict[int, None]]
) -> list[DescribeLogDirsResult]:
    results = {
        directory.path: DescribeLogDirsResult(
            error_code=(ErrorCode.NONE if directory.is_working else ErrorCode.KAFKA_STORAGE_ERROR),
            log_dir=directory.path,
            total_bytes=directory.total_bytes,
            usable_bytes=directory.usable_bytes,
        )
        for directory in logs.directories()
    }
    looked_at = 0
    for name, indexes in wanted.items():
        for index in indexes:
            partition = TopicPartition(name, index)
            if partition in logs.offline:
                continue
            result = results[logs.directory_path(partition)]
            add(logs, result, partition)
            looked_at += 1
            if looked_at % AT_A_TIME == 0:
                await anyio.lowlevel.checkpoint()
    for future in logs.moves():
        if future.partition.partition in wanted.get(future.partition.topic, {}):
            add_future(results[future.path], future)
    return list(results.values())


def add(logs: LogStore, result: DescribeLogDirsResult, partition: TopicPartition) -> None:
    """Add a partition to what is told of its directory."""
    if result.error_code:
        return
    try:
        size_bytes = logs.size_bytes(partition)
    except StorageFailed:
        result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        result.topics.clear()
        return
    if not result.topics or result.topics[-1].name != partition.topic:
        result.topics.append(DescribeLogDirsTopic(partition.topic))
    result.topics[-1].partitions.append(DescribeLogDirsPartition(partition.partition, size_bytes))


def add_future(result: DescribeLogDirsResult, future: FutureLog) -> None:
    """Add a partition's copy to what is told of the directory where it moves to."""
    told = DescribeLogDirsPartition(
        future.partition.partition, future.size_bytes, future.offset_lag, is_future_key=True
    )
    result.topics.append(DescribeLogDirsTopic(future.partition.topic, [told]))
