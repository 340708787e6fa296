"""Where a client finds a broker whose time stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from godel.client.cluster import Cluster, parse_addresses
from godel.clock import SystemClock
from godel.testing import Broker
from tests.wire import NOW_MS, Client


class StandingClock(SystemClock):
    """The client's clock: it shows the broker's time, and its timers run."""

    def now_ms(self) -> int:
        return NOW_MS


@pytest.fixture
async def cluster(broker: Broker, anyio_backend: str) -> AsyncIterator[Cluster]:
    addresses = parse_addresses(broker.bootstrap_servers)
    async with Cluster(addresses, timeout_ms=10_000, clock=StandingClock()) as cluster:
        yield cluster


@pytest.fixture
def outside(broker: Broker) -> Iterator[Client]:
    """Another client, to prepare and to look."""
    with Client(broker) as client:
        yield client
