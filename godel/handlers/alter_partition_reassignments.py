"""AlterPartitionReassignments (key 45): move partitions to other brokers (KIP-455).

v1: allow_replication_factor_change (KIP-860). With one broker a partition can only be "moved" to
where it is, which is a success; any other wish is refused as Kafka refuses brokers that it does not
know, and there is never a reassignment to call off.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.metadata.image import MetadataImage
from godel.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)


def handle(
    context: RequestContext, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    image = context.broker.metadata.image
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        error_message=None,
        responses=[
            ReassignableTopicResponse(
                name=topic.name,
                partitions=[answer(image, topic.name, each) for each in topic.partitions],
            )
            for topic in request.topics
        ],
    )


def answer(
    image: MetadataImage, topic: str, wanted: ReassignablePartition
) -> ReassignablePartitionResponse:
    index = wanted.partition_index
    try:
        check(image, topic, wanted)
    except ApiError as refusal:
        return ReassignablePartitionResponse(index, refusal.code, refusal.message)
    return ReassignablePartitionResponse(index, error_message=None)


def check(image: MetadataImage, name: str, wanted: ReassignablePartition) -> None:
    """Raise `ApiError` unless the partition is where it shall be."""
    topic = image.topics.get(name)
    index = wanted.partition_index
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
    if not 0 <= index < len(topic.partitions):
        message = f"The topic {name!r} has no partition {index}."
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    replicas = wanted.replicas
    if replicas is None:
        raise ApiError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    problem = None
    if not replicas:
        problem = "The list of replicas is empty."
    elif unknown := [replica for replica in replicas if replica not in image.brokers]:
        problem = f"There is no broker {unknown[0]}."
    elif len(set(replicas)) < len(replicas):
        problem = "A broker is named more than once."
    elif set(replicas) != set(topic.partitions[index].replicas):
        problem = "This release does not move partitions between brokers."
    if problem is not None:
        raise ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
