"""A broker whose time stands still, and where a client finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from godel.client.cluster import Cluster, parse_addresses
from godel.clock import ManualClock
from godel.testing import Broker
from tests.wire import Client


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(clock=ManualClock(), seed=1) as broker:
        yield broker


@pytest.fixture
async def cluster(broker: Broker, anyio_backend: str) -> AsyncIterator[Cluster]:
    async with Cluster(parse_addresses(broker.bootstrap_servers), timeout_ms=10_000) as cluster:
        yield cluster


@pytest.fixture
def outside(broker: Broker) -> Iterator[Client]:
    """Another client, to prepare and to look."""
    with Client(broker) as client:
        yield client
