"""DescribeTopicPartitions (key 75): topics and their partitions, a page at a time (KIP-966).

No topics means all. Topics come by name; a page ends after response_partition_limit partitions (at
most max.request.partition.size.limit) and says where the next begins. A cursor must name one of the
topics asked for. Nothing is created on demand. Deviation: an empty topic name answers
INVALID_TOPIC_EXCEPTION (Kafka: UNKNOWN_SERVER_ERROR for every topic).
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.handlers.authorized_operations import TOPIC_OPERATIONS
from godel.handlers.offline_partitions import tell_offline
from godel.metadata.identifiers import is_internal, name_problem
from godel.metadata.image import MetadataImage, PartitionImage
from godel.protocol.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)


def handle(
    context: RequestContext, request: DescribeTopicPartitionsRequest
) -> DescribeTopicPartitionsResponse:
    image = context.broker.metadata.image
    asked = {topic.name for topic in request.topics}
    cursor = request.cursor
    if cursor is not None and (
        cursor.partition_index < 0 or (asked and cursor.topic_name not in asked)
    ):
        return refuse(request)
    names = sorted(asked or image.topics)
    if cursor is not None:
        names = [name for name in names if name >= cursor.topic_name]
    largest = context.broker.config.max_request_partition_size_limit
    response = page(image, names, cursor, max(1, min(request.response_partition_limit, largest)))
    for topic in response.topics:
        for partition in tell_offline(context.broker, topic.name, topic.partitions):
            partition.eligible_leader_replicas = list(partition.replica_nodes)
            partition.last_known_elr = list(partition.replica_nodes)
    return response


def refuse(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """The cursor makes no sense; there is no error but the topics'."""
    topics = [
        DescribeTopicPartitionsResponseTopic(
            error_code=ErrorCode.INVALID_REQUEST, name=topic.name, is_internal=False
        )
        for topic in request.topics
    ]
    return DescribeTopicPartitionsResponse(topics=topics)


def page(
    image: MetadataImage, names: list[str], cursor: Cursor | None, limit: int
) -> DescribeTopicPartitionsResponse:
    """At most `limit` partitions from the cursor on; what does not exist counts nothing."""
    response = DescribeTopicPartitionsResponse()
    for name in names:
        if limit == 0:
            response.next_cursor = Cursor(name, 0)
            break
        begin = cursor.partition_index if cursor is not None and cursor.topic_name == name else 0
        topic = described(image, name, begin, limit)
        response.topics.append(topic)
        limit -= len(topic.partitions)
        end = begin + len(topic.partitions)
        if name in image.topics and end < len(image.topics[name].partitions):
            response.next_cursor = Cursor(name, end)
            break
    return response


def described(
    image: MetadataImage, name: str, begin: int, limit: int
) -> DescribeTopicPartitionsResponseTopic:
    topic = image.topics.get(name)
    answer = DescribeTopicPartitionsResponseTopic(
        name=name, is_internal=is_internal(name), topic_authorized_operations=TOPIC_OPERATIONS
    )
    if topic is not None:
        answer.topic_id = topic.id
        answer.partitions = [shown(each) for each in topic.partitions[begin : begin + limit]]
    elif name_problem(name) is not None:
        answer.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
    else:
        answer.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return answer


def shown(partition: PartitionImage) -> DescribeTopicPartitionsResponsePartition:
    replicas = list(partition.replicas)
    return DescribeTopicPartitionsResponsePartition(
        partition_index=partition.index,
        leader_id=partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=replicas,
        eligible_leader_replicas=[],
        last_known_elr=[],
    )
