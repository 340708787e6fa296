"""AlterReplicaLogDirs (key 34): move replicas between the log directories of a broker (KIP-113).

v2: flexible. A partition that is named for two directories goes, as in Kafka, by the last.

Deviation: nothing is moved yet. A partition that is there already is a success, another directory
of the broker is refused with INVALID_REQUEST.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode, StorageFailed
from godel.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from godel.records.partition_log import LogStore
from godel.types import TopicPartition


def handle(
    context: RequestContext, request: AlterReplicaLogDirsRequest
) -> AlterReplicaLogDirsResponse:
    topics = context.broker.metadata.image.topics
    logs = context.broker.logs
    paths = {directory.path for directory in logs.directories()}
    codes: dict[str, dict[int, ErrorCode]] = {}
    for directory in request.dirs:
        for topic in directory.topics:
            found = topics.get(topic.name)
            there = range(len(found.partitions) if found is not None else 0)
            for index in topic.partitions:
                code = ErrorCode.NONE
                if directory.path not in paths:
                    code = ErrorCode.LOG_DIR_NOT_FOUND
                elif index not in there:
                    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                else:
                    code = stay(logs, TopicPartition(topic.name, index), directory.path)
                codes.setdefault(topic.name, {})[index] = code
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(index, code) for index, code in found.items()
                ],
            )
            for name, found in codes.items()
        ]
    )


def stay(logs: LogStore, partition: TopicPartition, path: str) -> ErrorCode:
    try:
        is_there = logs.directory_path(partition) == path
    except StorageFailed:
        return ErrorCode.KAFKA_STORAGE_ERROR
    return ErrorCode.NONE if is_there else ErrorCode.INVALID_REQUEST
