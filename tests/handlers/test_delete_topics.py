"""DeleteTopics over the wire format."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.handlers.delete_topics import handle
from godel.protocol.codec import decode, encode
from godel.protocol.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from godel.types import ZERO_ID
from tests.handlers.administration import context
from tests.metadata.composition import Controller, controller

pytestmark = pytest.mark.anyio

OTHER_ID = bytes(15) + b"\x09"


async def delete(
    broker: Controller, *topics: DeleteTopicState, version: int = 6
) -> list[DeletableTopicResult]:
    request = DeleteTopicsRequest(timeout_ms=0)
    if version >= 6:
        request.topics = list(topics)
    else:
        request.topic_names = [topic.name or "" for topic in topics]
    response = await handle(context(broker, version), request)
    return decode(DeleteTopicsResponse, encode(response, version), version).responses


@pytest.mark.parametrize("version", range(1, 7))
async def test_by_name(version: int) -> None:
    async with controller() as broker:
        made = await broker.topics.create_topic("a")
        done, missing = await delete(
            broker, DeleteTopicState(name="a"), DeleteTopicState(name="b"), version=version
        )
        assert (done.name, done.error_code) == ("a", 0)
        assert missing.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if version == 6:
            assert (done.topic_id, missing.topic_id) == (made.id, ZERO_ID)
        assert not broker.metadata.image.topics


async def test_by_id() -> None:
    async with controller() as broker:
        made = await broker.topics.create_topic("a")
        done, missing = await delete(
            broker,
            DeleteTopicState(topic_id=made.id),
            DeleteTopicState(topic_id=OTHER_ID),
        )
        assert (done.name, done.topic_id, done.error_code) == ("a", made.id, 0)
        assert (missing.name, missing.topic_id) == (None, OTHER_ID)
        assert missing.error_code == ErrorCode.UNKNOWN_TOPIC_ID


async def test_what_is_not_clear_is_refused() -> None:
    async with controller() as broker:
        made = await broker.topics.create_topic("a")
        results = await delete(
            broker,
            DeleteTopicState(name="a"),
            DeleteTopicState(topic_id=made.id),
            DeleteTopicState(),
            DeleteTopicState(name="b", topic_id=OTHER_ID),
        )
        assert [each.error_code for each in results] == [ErrorCode.INVALID_REQUEST] * 3
        assert "a" in broker.metadata.image.topics


@pytest.mark.parametrize(
    ("version", "code"),
    [(2, ErrorCode.INVALID_REQUEST), (6, ErrorCode.TOPIC_DELETION_DISABLED)],
)
async def test_deletion_can_be_forbidden(version: int, code: ErrorCode) -> None:
    async with controller(settings={"delete.topic.enable": "false"}) as broker:
        await broker.topics.create_topic("a")
        (result,) = await delete(broker, DeleteTopicState(name="a"), version=version)
        assert result.error_code == code
        assert "a" in broker.metadata.image.topics
