"""The group handlers' surroundings: a real coordinator over logs in memory, two topics."""

from __future__ import annotations

from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import structlog

from godel.broker.context import Endpoint, RequestContext
from godel.clock import ManualClock, Randomness
from godel.config import BrokerConfig
from godel.coordinator.group_coordinator import GroupCoordinator
from godel.coordinator.settings import GroupSettings
from godel.errors import ApiError
from godel.metadata import records
from godel.metadata.image import ImageBuilder, MetadataImage
from godel.metadata.store import KV, Change
from godel.metadata.topics import partitions_of
from godel.protocol.codec import decode, encode
from godel.protocol.message import Message
from tests.coordinator.memory_log import MemoryLog

Response = TypeVar("Response", bound=Message)


class GroupBroker:
    """As much of a broker as these handlers ask for."""

    def __init__(self, *, has_offsets_topic: bool = True) -> None:
        self.node_id = 4
        self.clock = ManualClock()
        self.logs: dict[int, MemoryLog] = {}
        self.groups = GroupCoordinator(
            GroupSettings(group_initial_rebalance_delay_ms=0),
            clock=self.clock,
            randomness=Randomness(1),
            open_log=lambda partition: self.logs.setdefault(partition, MemoryLog()),
            partition_count=lambda: 3,
            log=structlog.get_logger(),
        )
        self.metadata = SimpleNamespace(image=image_of(t=2, u=1))
        self.offsets_topic_error: ApiError | None = None
        if has_offsets_topic:
            self.groups.load()

    async def ensure_offsets_topic(self) -> None:
        if self.offsets_topic_error is not None:
            raise self.offsets_topic_error
        self.groups.load()

    def context(self, version: int, client_id: str | None = "client") -> RequestContext:
        context = RequestContext(
            cast(Any, self), client_host="127.0.0.1", listener=Endpoint("advertised", 9092)
        )
        context.version = version
        context.client_id = client_id
        return context


def image_of(**partitions: int) -> MetadataImage:
    """An image with topics of so many partitions."""
    changes = []
    for name, count in partitions.items():
        key = records.topic_key(name)
        topic_id = name.encode().ljust(16)
        record = records.TopicRecord(topic_id, partitions_of([(4,)] * count), {})
        changes.append(Change(key, KV(key, records.encode_topic(record), 1, 1)))
    builder = ImageBuilder(4, BrokerConfig())
    return builder.apply(builder.empty(), changes, 1)


def on_the_wire(response: Response | Awaitable[Response], version: int) -> Response:
    """The answer, which must be there, as a client of that version reads it."""
    assert isinstance(response, Message)
    return cast(Response, decode(type(response), encode(response, version), version))
