"""`godel groups`: a transcript, and what it cannot show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from anyio.from_thread import start_blocking_portal

from godel.client.cluster import Cluster, parse_addresses
from godel.client.membership import Member
from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client, batch


def test_groups(transcript: Callable[[str], None]) -> None:
    transcript("groups")


@contextmanager
def holding(broker: Broker) -> Iterator[None]:
    """A member of the group `board`, for as long as this lasts."""

    async def nowhere(partitions: object) -> dict[object, int]:
        return dict.fromkeys(partitions, 0)  # type: ignore[call-overload]  # partitions

    cluster = Cluster(parse_addresses(broker.bootstrap_servers))
    with start_blocking_portal() as portal:
        member = portal.call(lambda: Member(cluster, "board", ["flights"], start=nowhere))  # type: ignore[arg-type]  # a start of ours
        with portal.wrap_async_context_manager(cluster), portal.wrap_async_context_manager(member):
            portal.call(member.hold)
            yield


@pytest.fixture
def _topic(broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.produce("flights", batch("a", "b"))


@pytest.mark.usefixtures("_topic")
def test_members_and_their_assignments_are_shown(godel: Command, broker: Broker) -> None:
    with holding(broker):
        (group,) = json.loads(godel("groups", "describe", "board", "-o", "json").out)
        (member,) = group["members"]
        assert (group["state"], group["assignor"]) == ("Stable", "range")
        assert member["assigned"] == ["flights-0"]
        (row,) = group["partitions"]
        assert (row["member"], row["end"], row["lag"]) == (member["member"], 2, None)


@pytest.mark.usefixtures("_topic")
def test_offsets_of_a_group_with_members_are_not_reset(godel: Command, broker: Broker) -> None:
    with holding(broker):
        result = godel("groups", "edit", "board", "--to-latest", "--topic", "flights", "--execute")
        assert result.status == 1
        assert "group board is Stable" in result.err
        assert godel("groups", "delete", "board", "--yes").status == 1


@pytest.mark.parametrize(
    "words",
    [("board",), ("board", "--to-latest", "--to-earliest"), ("board", "--by-duration", "x")],
)
def test_one_method_resets(godel: Command, words: tuple[str, ...]) -> None:
    assert godel("groups", "edit", *words).status == 2


def test_a_group_needs_offsets_to_exist(godel: Command) -> None:
    assert godel("groups", "create", "board").status == 2
    assert godel("groups", "offsets", "board", "--delete").status == 2
