"""AlterReplicaLogDirs (key 34): move replicas between the log directories of a broker (KIP-113).

v2: flexible. The move goes on after the answer; DescribeLogDirs shows how far it is. To name the
directory where a partition is gives a move up. A partition that is named for two directories goes,
as in Kafka, by the last.

Deviation: partitions are moved one after the other, and moves that have not ended are forgotten by
a restart; Kafka goes on with them. Nothing limits their speed
(replica.alter.log.dirs.io.max.bytes.per.second).
"""

from __future__ import annotations

from collections.abc import Mapping

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)

LONGEST_FUTURE_NAME = 255
FUTURE_SUFFIX_SIZE = len(".") + 32 + len("-future")


def handle(
    context: RequestContext, request: AlterReplicaLogDirsRequest
) -> AlterReplicaLogDirsResponse:
    broker = context.broker
    wanted: dict[str, dict[int, str]] = {}
    for directory in request.dirs:
        for topic in directory.topics:
            for index in topic.partitions:
                wanted.setdefault(topic.name, {})[index] = directory.path
    working = {each.path: each.is_working for each in broker.logs.directories()}
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(
                        index, move(broker, name, index, path=to, working=working)
                    )
                    for index, to in paths.items()
                ],
            )
            for name, paths in wanted.items()
        ]
    )


def move(
    broker: Broker, topic: str, index: int, *, path: str, working: Mapping[str, bool]
) -> ErrorCode:
    """Begin one move; the checks in Kafka's order."""
    if len(f"{topic}-{index}") + FUTURE_SUFFIX_SIZE > LONGEST_FUTURE_NAME:
        return ErrorCode.INVALID_TOPIC_EXCEPTION
    if path not in working:
        return ErrorCode.LOG_DIR_NOT_FOUND
    if not working[path]:
        return ErrorCode.KAFKA_STORAGE_ERROR
    found = broker.metadata.image.topics.get(topic)
    if found is None or not 0 <= index < len(found.partitions):
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    try:
        broker.move(topic, index, path)
    except ApiError as refusal:
        return refusal.code
    return ErrorCode.NONE
