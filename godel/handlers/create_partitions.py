"""CreatePartitions (key 37): raise the number of a topic's partitions.

`count` is the number afterwards. v2: flexible; v1 and v3 changed nothing but quotas.
"""

from __future__ import annotations

from collections import Counter

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.handlers.create_topics import MIN_TIMEOUT_MS
from godel.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)


async def handle(
    context: RequestContext, request: CreatePartitionsRequest
) -> CreatePartitionsResponse:
    times = Counter(topic.name for topic in request.topics)
    by_name = {topic.name: topic for topic in request.topics}
    results: list[CreatePartitionsTopicResult] = []
    for name, topic in by_name.items():
        try:
            if times[name] > 1:
                raise ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            await extend(context.broker, topic, request)
            results.append(CreatePartitionsTopicResult(name=name))
        except ApiError as refusal:
            results.append(
                CreatePartitionsTopicResult(
                    name=name, error_code=refusal.code, error_message=refusal.message
                )
            )
    return CreatePartitionsResponse(results=results)


async def extend(
    broker: Broker, topic: CreatePartitionsTopic, request: CreatePartitionsRequest
) -> None:
    assignments = None
    if topic.assignments is not None:
        assignments = [each.broker_ids for each in topic.assignments]
    await broker.topics.add_partitions(
        topic.name,
        topic.count,
        assignments,
        validate_only=request.validate_only,
        timeout_ms=max(request.timeout_ms, MIN_TIMEOUT_MS),
    )
