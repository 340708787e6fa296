"""`godel api`."""

from __future__ import annotations

import json

from godel.cli.api import row, spoken
from tests.cli.conftest import Command


def test_a_broker_of_ours_offers_what_we_speak(godel: Command) -> None:
    rows = {each["key"]: each for each in json.loads(godel("api", "--output", "json").out)}
    produce = rows[0]
    assert produce["name"] == "Produce"
    assert produce["used"] == int(produce["broker"].partition("-")[2])
    assert "Produce" in godel("api", "--broker", "1").out
    assert godel("api", "--broker", "9").status == 4


def test_what_only_one_side_knows_is_shown_and_not_used() -> None:
    metadata = spoken()[3]
    assert row(3, None, metadata)["used"] is None
    assert row(3, (98, 99), metadata)["used"] is None
    assert row(3, (0, 2), metadata)["used"] == 2
    assert row(17, (0, 1), None)["name"] == "SaslHandshake"
    assert row(999, (0, 1), None) == {
        "key": 999, "name": None, "broker": "0-1", "godel": None, "used": None,
    }  # fmt: skip
