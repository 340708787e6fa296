"""The group handlers' surroundings: a real coordinator over logs in memory, two topics."""

from __future__ import annotations

from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import structlog

from godel.broker.context import Endpoint, RequestContext
from godel.clock import ManualClock, Randomness
from godel.coordinator.group_coordinator import GroupCoordinator
from godel.coordinator.settings import GroupSettings
from godel.errors import ApiError
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
        topics = {"t": SimpleNamespace(partitions=(0, 1)), "u": SimpleNamespace(partitions=(0,))}
        self.metadata = SimpleNamespace(image=SimpleNamespace(topics=topics))
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


def on_the_wire(response: Response | Awaitable[Response], version: int) -> Response:
    """The answer, which must be there, as a client of that version reads it."""
    assert isinstance(response, Message)
    return cast(Response, decode(type(response), encode(response, version), version))
