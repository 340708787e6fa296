"""`godel broker`."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.cli.conftest import Command


def test_broker(transcript: Callable[[str], None]) -> None:
    transcript("broker")


def test_a_broker_shows_its_log_directories(godel: Command) -> None:
    godel("topics", "create", "flights", "--partitions", "3")
    (broker,) = json.loads(godel("broker", "describe", "--output", "json").out)
    assert (broker["id"], broker["controller"]) == (1, True)
    (directory,) = broker["log_dirs"]
    assert (directory["partitions"], directory["status"]) == (3, "ok")
    assert "LOG-DIR" in godel("broker", "describe", "1").out
