"""DescribeLogDirs (key 35): the data directory, what is in it and how big it is (KIP-113).

v2: flexible. v3: a top-level error. v4: size of the volume (KIP-827), -1 in memory. v5: is_cordoned
(KIP-1066), never. Topics null asks for all partitions; what does not exist is left out. The sizes
are those of the segments, as in Kafka.
"""

from __future__ import annotations

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


def handle(context: RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
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
    return DescribeLogDirsResponse(results=[describe(context.broker.logs, wanted)])


def describe(logs: LogStore, wanted: dict[str, dict[int, None]]) -> DescribeLogDirsResult:
    directory = logs.directory()
    result = DescribeLogDirsResult(
        log_dir=directory.path,
        total_bytes=directory.total_bytes,
        usable_bytes=directory.usable_bytes,
    )
    try:
        result.topics = [
            DescribeLogDirsTopic(
                name=name,
                partitions=[
                    DescribeLogDirsPartition(index, logs.size_bytes(TopicPartition(name, index)))
                    for index in indexes
                ],
            )
            for name, indexes in wanted.items()
            if indexes
        ]
    except OSError:
        result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    return result
