"""The pytest plugin: a `godel_broker` fixture, a fresh broker in memory for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from godel.testing import Broker


@pytest.fixture
def godel_broker() -> Iterator[Broker]:
    """A running broker; point a client at `godel_broker.bootstrap_servers`."""
    from godel.testing import Broker  # only those who use the fixture pay for the broker

    with Broker() as broker:
        yield broker
