"""Positions in a topic."""

from __future__ import annotations

import pytest
import typer

from godel.cli.exits import Refused
from godel.cli.positions import (
    BEGINNING,
    END,
    Anchor,
    Position,
    chosen_partitions,
    parse_position,
    resolve,
)
from godel.client.cluster import Cluster, parse_addresses
from godel.client.topics import named_topics
from godel.clock import ManualClock
from godel.testing import Broker
from godel.types import TopicPartition
from tests.wire import NOW_MS, Client, batch


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("beginning", BEGINNING),
        ("EARLIEST", BEGINNING),
        ("end", END),
        ("7", Position(Anchor.OFFSET, 7)),
        ("+7", Position(Anchor.BEGINNING, 7)),
        ("-7", Position(Anchor.END, -7)),
        ("-1s", Position(Anchor.TIME, NOW_MS - 1000)),
        ("@7", Position(Anchor.TIME, 7)),
    ],
)
def test_positions_are_read(text: str, position: Position) -> None:
    assert parse_position(text, ManualClock()) == position


def test_what_is_no_position_is_said_with_all_that_would_be() -> None:
    with pytest.raises(typer.BadParameter, match="beginning, end, an offset"):
        parse_position("soon", ManualClock())


@pytest.mark.anyio
async def test_a_position_is_an_offset_within_the_partition(broker: Broker) -> None:
    with Client(broker) as outside:
        outside.create("flights")
        for second in range(4):
            outside.produce("flights", batch("x", timestamp_ms=NOW_MS + second * 1000))
    where = TopicPartition("flights", 0)
    expected = [
        (BEGINNING, 0), (END, 4), (Position(Anchor.END, -3), 1), (Position(Anchor.END, -9), 0),
        (Position(Anchor.BEGINNING, 3), 3), (Position(Anchor.OFFSET, 9), 4),
        (Position(Anchor.TIME, NOW_MS + 1500), 2),
    ]  # fmt: skip
    async with Cluster(parse_addresses(broker.bootstrap_servers)) as cluster:
        for position, offset in expected:
            assert await resolve(cluster, [where], position) == {where: offset}
        (topic,) = await named_topics(cluster, ["flights"])
    assert chosen_partitions(topic, None) == [where]
    with pytest.raises(Refused, match="and no 4"):
        chosen_partitions(topic, [0, 4])
