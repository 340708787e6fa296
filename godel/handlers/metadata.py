"""Metadata (key 3): brokers, the controller, topics with their partitions and leaders.

v0: an empty list of topics means all. v1: null means all, empty none. v4: allow_auto_topic_creation
(older requests count as true). v8 to v10: cluster_authorized_operations. v10: topic ids in the
answer. v12: topics may be asked for by id. v13: a top-level error code, never needed here. As in
Kafka a topic that is named twice is answered once.

A missing topic that may be created is answered UNKNOWN_TOPIC_OR_PARTITION and created a moment
later, or at once when it is asked for again. Whoever asks for it while it is being created gets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.handlers.authorized_operations import (
    CLUSTER_OPERATIONS,
    NOT_ASKED,
    TOPIC_OPERATIONS,
)
from godel.handlers.offline_partitions import tell_offline
from godel.metadata.identifiers import is_internal, name_problem
from godel.metadata.image import MetadataImage, TopicImage
from godel.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from godel.types import ZERO_ID

AUTO_CREATION_FLAG_SINCE = 4
BY_ID_SINCE = 12
NULL_TOPICS_SINCE = 1


def handle(
    context: RequestContext, request: MetadataRequest
) -> MetadataResponse | Awaitable[MetadataResponse]:
    broker = context.broker
    version = context.version
    if request.topics is None or (version < NULL_TOPICS_SINCE and not request.topics):
        return respond(broker, request, all_topics(broker.metadata.image))
    wanted = list({(topic.name, topic.topic_id): topic for topic in request.topics}.values())
    if version < BY_ID_SINCE and any(topic.topic_id != ZERO_ID for topic in wanted):
        refused = [error_topic(topic, ErrorCode.INVALID_REQUEST) for topic in wanted]
        return respond(broker, request, refused)
    allowed = version < AUTO_CREATION_FLAG_SINCE or request.allow_auto_topic_creation
    if allowed and broker.config.auto_create_topics_enable:
        missing = missing_topics(broker.metadata.image, wanted)
        under_way = broker.auto_creation.ask_for(missing, partitions=broker.config.num_partitions)
        if under_way:
            return after_creation(broker, request, wanted, under_way)
    return respond(broker, request, described(broker.metadata.image, wanted))


def missing_topics(image: MetadataImage, wanted: Iterable[MetadataRequestTopic]) -> list[str]:
    """The names that can be created, each once."""
    names = dict.fromkeys(
        topic.name
        for topic in wanted
        if topic.name and topic.topic_id == ZERO_ID and topic.name not in image.topics
    )
    return [name for name in names if name_problem(name) is None]


async def after_creation(
    broker: Broker,
    request: MetadataRequest,
    wanted: list[MetadataRequestTopic],
    under_way: set[asyncio.Task[None]],
) -> MetadataResponse:
    await asyncio.wait(under_way)
    return respond(broker, request, described(broker.metadata.image, wanted))


def respond(
    broker: Broker, request: MetadataRequest, topics: list[MetadataResponseTopic]
) -> MetadataResponse:
    image = broker.metadata.image
    for topic in topics:
        for partition in tell_offline(broker, topic.name, topic.partitions):
            partition.error_code = ErrorCode.LEADER_NOT_AVAILABLE
    if request.include_topic_authorized_operations:
        for topic in topics:
            if topic.error_code == ErrorCode.NONE:
                topic.topic_authorized_operations = TOPIC_OPERATIONS
    return MetadataResponse(
        brokers=[
            MetadataResponseBroker(
                node_id=node.node_id, host=node.host, port=node.port, rack=node.rack
            )
            for node in image.brokers.values()
        ],
        cluster_id=image.cluster_id,
        controller_id=image.controller_id,
        topics=topics,
        cluster_authorized_operations=(
            CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NOT_ASKED
        ),
    )


def all_topics(image: MetadataImage) -> list[MetadataResponseTopic]:
    return [found(topic) for topic in image.topics.values()]


def described(
    image: MetadataImage, wanted: list[MetadataRequestTopic]
) -> list[MetadataResponseTopic]:
    return [describe(image, topic) for topic in wanted]


def describe(image: MetadataImage, wanted: MetadataRequestTopic) -> MetadataResponseTopic:
    if wanted.topic_id != ZERO_ID:
        name = image.topic_names.get(wanted.topic_id)
        if name is None:
            return error_topic(wanted, ErrorCode.UNKNOWN_TOPIC_ID)
    elif wanted.name is None:
        return error_topic(wanted, ErrorCode.INVALID_REQUEST)
    else:
        name = wanted.name
    topic = image.topics.get(name)
    if topic is not None:
        return found(topic)
    if name_problem(name) is not None:
        return error_topic(wanted, ErrorCode.INVALID_TOPIC_EXCEPTION)
    return error_topic(wanted, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


def found(topic: TopicImage) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.id,
        is_internal=topic.is_internal,
        partitions=[
            MetadataResponsePartition(
                partition_index=partition.index,
                leader_id=partition.leader,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.replicas),
            )
            for partition in topic.partitions
        ],
    )


def error_topic(wanted: MetadataRequestTopic, code: ErrorCode) -> MetadataResponseTopic:
    by_id = code is ErrorCode.UNKNOWN_TOPIC_ID
    return MetadataResponseTopic(
        error_code=code,
        name=None if by_id else wanted.name or "",  # null only where v12 allows it
        topic_id=wanted.topic_id,
        is_internal=wanted.name is not None and is_internal(wanted.name),
    )
