"""The administration's handlers against a real controller in memory, without a broker's data."""

from __future__ import annotations

from typing import cast

from godel.broker.broker import Broker
from godel.broker.context import Endpoint, RequestContext
from tests.metadata.composition import Controller


def context(broker: Controller, version: int) -> RequestContext:
    """A request's surroundings. These handlers ask a broker for no more than a controller has."""
    made = RequestContext(
        cast("Broker", broker), client_host="127.0.0.1", listener=Endpoint("localhost", 9092)
    )
    made.version = version
    return made
