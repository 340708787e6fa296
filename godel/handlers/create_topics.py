"""CreateTopics (key 19): make topics, each with its own outcome.

v2 is the oldest that Kafka 4 takes. v5: flexible; the answer tells counts and settings. v7: the id.
The topics can be used when the answer leaves. Deviations: answers stand in the order of the
request; timeouts below a second count as one, so that nobody is told "timed out" about a topic that
is there.
"""

from __future__ import annotations

from collections import Counter

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.config.describe import describe_topic
from godel.config.topic import topic_config
from godel.errors import ApiError, ErrorCode
from godel.handlers.config_resources import broker_levels
from godel.metadata.topics import CreatedTopic, NewTopic
from godel.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

MIN_TIMEOUT_MS = 1000


async def handle(context: RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse:
    broker = context.broker
    outcomes: dict[str, CreatedTopic | ApiError] = {}
    wishes: list[NewTopic] = []
    times = Counter(topic.name for topic in request.topics)
    for topic in request.topics:
        try:
            if times[topic.name] > 1:
                raise ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            wishes.append(wish(topic))
        except ApiError as refusal:
            outcomes[topic.name] = refusal
    made = await broker.topics.create(
        wishes,
        validate_only=request.validate_only,
        timeout_ms=max(request.timeout_ms, MIN_TIMEOUT_MS),
    )
    outcomes.update((each.name, outcome) for each, outcome in zip(wishes, made, strict=True))
    return CreateTopicsResponse(
        topics=[result(broker, name, outcomes[name]) for name in times],
    )


def wish(topic: CreatableTopic) -> NewTopic:
    """What the request asks for. Raises `ApiError` for a partition that is assigned twice."""
    assignments = {each.partition_index: each.broker_ids for each in topic.assignments}
    if len(assignments) != len(topic.assignments):
        raise ApiError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT, "A partition is assigned more than once."
        )
    return NewTopic(
        name=topic.name,
        partitions=topic.num_partitions,
        replication_factor=topic.replication_factor,
        assignments=assignments,
        configs={each.name: each.value for each in topic.configs},
    )


def result(broker: Broker, name: str, outcome: CreatedTopic | ApiError) -> CreatableTopicResult:
    if isinstance(outcome, ApiError):
        return CreatableTopicResult(
            name=name, error_code=outcome.code, error_message=outcome.message, configs=[]
        )
    return CreatableTopicResult(
        name=name,
        topic_id=outcome.id,
        error_message=None,
        num_partitions=outcome.partitions,
        replication_factor=outcome.replication_factor,
        configs=settings(broker, outcome),
    )


def settings(broker: Broker, topic: CreatedTopic) -> list[CreatableTopicConfigs]:
    config = topic_config(broker.config, topic.overrides)
    return [
        CreatableTopicConfigs(
            name=entry.name,
            value=entry.value,
            read_only=entry.read_only,
            config_source=entry.source,
            is_sensitive=entry.is_sensitive,
        )
        for entry in describe_topic(config, topic.overrides, broker_levels(broker), None)
    ]
