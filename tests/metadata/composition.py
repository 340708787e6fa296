"""A store, the metadata that follows it and the controller of topics: real parts, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from godel.clock import Clock, Randomness, SystemClock
from godel.config import BrokerConfig
from godel.metadata.memory_store import MemoryStore
from godel.metadata.publisher import Metadata
from godel.metadata.records import BrokerRecord, encode_broker
from godel.metadata.store import MetadataStore
from godel.metadata.topics import Topics


class Controller:
    """What handlers of the administration ask a broker for."""

    def __init__(self, metadata: Metadata, topics: Topics) -> None:
        self.metadata = metadata
        self.topics = topics
        self.node_id = metadata.node_id

    @property
    def config(self) -> BrokerConfig:
        return self.metadata.image.broker_config


@asynccontextmanager
async def controller(
    store: MetadataStore | None = None,
    *,
    brokers: int = 1,
    settings: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    unclean: bool = False,
) -> AsyncIterator[Controller]:
    """Broker 1 of `brokers`, running."""
    store = store or MemoryStore()
    metadata = Metadata(
        store,
        node_id=1,
        config=BrokerConfig().replaced(settings or {}),
        clock=clock or SystemClock(),
        randomness=Randomness(1),
        log=structlog.get_logger(),
    )
    await metadata.start(unclean=unclean)
    await metadata.register("localhost", 9092)
    for node_id in range(2, brokers + 1):
        info = encode_broker(BrokerRecord("localhost", 9090 + node_id, None))
        session = await store.open_session(node_id, info, 10)
        await metadata.reached(session.guard.mod_revision)
    yield Controller(metadata, Topics(metadata))
    await metadata.close()
