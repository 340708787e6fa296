"""`godel consumers`: members that hold, and members that are removed."""

from __future__ import annotations

import json

from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client


def held(godel: Command, *options: str) -> dict[str, object]:
    words = ("consumers", "create", "board", "flights", "--for", "100ms", "-o", "json")
    result = godel(*words, *options)
    assert result.status == 0, result.err
    (row,) = json.loads(result.out)
    return dict(row)


def test_a_member_is_told_what_it_has_and_leaves(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights", partitions=2)
    row = held(godel)
    assert row["assigned"] == ["flights-0", "flights-1"]
    assert str(row["member"]).startswith("godel-")
    (group,) = json.loads(godel("groups", "list", "-o", "json").out)
    assert group["state"] == "Empty"


def test_a_static_member_stays_until_it_is_removed(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
    held(godel, "--instance-id", "display-1", "--assignor", "roundrobin")
    words = ("consumers", "delete", "board")
    assert godel(*words, "--instance-id", "display-2", "--yes").status == 4
    assert godel(*words, "--all").status == 2
    removed = godel(*words, "--all", "--yes")
    assert (removed.status, "removed" in removed.out) == (0, True)
    nobody = godel(*words, "--all", "--yes")
    assert (nobody.status, "has no members" in nobody.err) == (1, True)


def test_what_makes_no_sense_is_wrong_usage(godel: Command) -> None:
    assert godel("consumers", "delete", "board").status == 2
    assert godel("consumers", "create", "board", "flights", "--for", "ever").status == 2
