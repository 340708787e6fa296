"""AlterReplicaLogDirs (key 34): move replicas between the log directories of a broker (KIP-113).

v2: flexible. There is one directory: moving a partition there is a success and does nothing, any
other path answers LOG_DIR_NOT_FOUND. A partition that is named for two directories goes, as in
Kafka, by the last.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


def handle(
    context: RequestContext, request: AlterReplicaLogDirsRequest
) -> AlterReplicaLogDirsResponse:
    topics = context.broker.metadata.image.topics
    path = context.broker.logs.directory().path
    codes: dict[str, dict[int, ErrorCode]] = {}
    for directory in request.dirs:
        for topic in directory.topics:
            found = topics.get(topic.name)
            there = range(len(found.partitions) if found is not None else 0)
            for index in topic.partitions:
                code = ErrorCode.NONE
                if directory.path != path:
                    code = ErrorCode.LOG_DIR_NOT_FOUND
                elif index not in there:
                    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
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
