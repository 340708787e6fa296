"""DeleteTopics (key 20): metadata forgets the topics at once, the files go later.

v1 to v5: by name. v6: by name or by id. v5: error messages. With `delete.topic.enable=false` every
topic answers TOPIC_DELETION_DISABLED (before v3: INVALID_REQUEST). Deviation: answers stand in the
order of the request.
"""

from __future__ import annotations

from collections import Counter

from godel.broker.context import RequestContext
from godel.errors import ApiError, ErrorCode
from godel.handlers.create_topics import MIN_TIMEOUT_MS
from godel.metadata.image import MetadataImage
from godel.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from godel.types import ZERO_ID

DISABLED_SINCE = 3
STATES_SINCE = 6


async def handle(context: RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    broker = context.broker
    wanted = request.topics
    if context.version < STATES_SINCE:
        wanted = [DeleteTopicState(name=name) for name in request.topic_names]
    if not broker.config.delete_topic_enable:
        is_known = context.version >= DISABLED_SINCE
        code = ErrorCode.TOPIC_DELETION_DISABLED if is_known else ErrorCode.INVALID_REQUEST
        refusal = ApiError(code, "delete.topic.enable is false on this broker")
        return DeleteTopicsResponse(responses=[failed(topic, refusal) for topic in wanted])
    results, chosen = choose(broker.metadata.image, wanted)
    outcomes = await broker.topics.delete(
        list(chosen), timeout_ms=max(request.timeout_ms, MIN_TIMEOUT_MS)
    )
    for (name, topic), outcome in zip(chosen.items(), outcomes, strict=True):
        topic.name = name
        if outcome is not None:
            topic.error_code = outcome.code
            topic.error_message = outcome.message
    return DeleteTopicsResponse(responses=results)


def choose(
    image: MetadataImage, wanted: list[DeleteTopicState]
) -> tuple[list[DeletableTopicResult], dict[str, DeletableTopicResult]]:
    """An answer for each different topic, and by name those that are to be deleted."""
    results: list[DeletableTopicResult] = []
    chosen: dict[str, DeletableTopicResult] = {}
    names = [name_of(image, topic) for topic in wanted]
    times = Counter(name for name in names if isinstance(name, str))
    refused: set[str] = set()
    for topic, name in zip(wanted, names, strict=True):
        if isinstance(name, ApiError):
            results.append(failed(topic, name))
        elif times[name] > 1:
            if name not in refused:
                refused.add(name)
                results.append(
                    failed(topic, ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name."))
                )
        elif name not in image.topics:
            unknown = ApiError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist."
            )
            results.append(failed(topic, unknown))
        else:
            chosen[name] = DeletableTopicResult(name=name, topic_id=image.topics[name].id)
            results.append(chosen[name])
    return results, chosen


def name_of(image: MetadataImage, topic: DeleteTopicState) -> str | ApiError:
    """Which topic is meant, whether it exists or not; an id says its name only if it does."""
    if topic.name is not None:
        if topic.topic_id != ZERO_ID:
            return ApiError(ErrorCode.INVALID_REQUEST, "Both a topic's name and an id are given.")
        return topic.name
    if topic.topic_id == ZERO_ID:
        return ApiError(ErrorCode.INVALID_REQUEST, "Neither a topic's name nor an id is given.")
    name = image.topic_names.get(topic.topic_id)
    if name is None:
        return ApiError(ErrorCode.UNKNOWN_TOPIC_ID, "There is no topic with this id.")
    return name


def failed(topic: DeleteTopicState, refusal: ApiError) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=topic.name,
        topic_id=topic.topic_id,
        error_code=refusal.code,
        error_message=refusal.message,
    )
