"""A broker in memory whose time stands still, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from godel.clock import ManualClock
from godel.testing import Broker
from tests.wire import Client


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(clock=ManualClock(), seed=1) as broker:
        yield broker


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        yield client
