"""The methods of a reset, each as Kafka's tool has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from godel.cli.exits import Refused
from godel.cli.reset import Method, parse_reset, plan_reset, read_offsets
from godel.client.cluster import Cluster, parse_addresses
from godel.client.groups import commit_offsets
from godel.clock import ManualClock
from godel.testing import Broker
from godel.types import TopicPartition
from tests.wire import NOW_MS, Client, batch

WHERE = TopicPartition("flights", 0)
HOUR_MS = 3_600_000


def hours(count: float) -> str:
    return f"@{NOW_MS + round(count * HOUR_MS)}"


@pytest.fixture
def _topic(broker: Broker) -> None:
    """Three records an hour, nine altogether."""
    with Client(broker) as client:
        client.create("flights", configs={"message.timestamp.after.max.ms": 2**60})
        for hour in range(3):
            client.produce("flights", batch("a", "b", "c", timestamp_ms=NOW_MS + hour * HOUR_MS))


@pytest.mark.anyio
@pytest.mark.usefixtures("_topic")
@pytest.mark.parametrize(
    ("method", "text", "expected"),
    [
        (Method.TO_EARLIEST, "", 0),
        (Method.TO_LATEST, "", 9),
        (Method.TO_CURRENT, "", 5),
        (Method.TO_OFFSET, "3", 3),
        (Method.TO_OFFSET, "1000", 9),
        (Method.SHIFT_BY, "2", 7),
        (Method.SHIFT_BY, "-1000", 0),
        (Method.TO_DATETIME, hours(1), 3),
        (Method.TO_DATETIME, hours(1.5), 6),
        (Method.TO_DATETIME, hours(9), 9),
        (Method.BY_DURATION, "P20000D", 0),
    ],
)
async def test_a_method_moves_to(broker: Broker, method: Method, text: str, expected: int) -> None:
    reset = parse_reset(method, text, ManualClock())
    async with Cluster(parse_addresses(broker.bootstrap_servers)) as cluster:
        await commit_offsets(cluster, "board", {WHERE: 5})
        (move,) = await plan_reset(cluster, "board", [], reset)
    assert (move.partition, move.committed, move.offset) == (WHERE, 5, expected)


@pytest.mark.anyio
@pytest.mark.usefixtures("_topic")
async def test_a_file_says_each_offset(broker: Broker, tmp_path: Path) -> None:
    file = tmp_path / "offsets.csv"
    file.write_text("flights,0,4\n\n")
    reset = parse_reset(Method.FROM_FILE, str(file), ManualClock())
    async with Cluster(parse_addresses(broker.bootstrap_servers)) as cluster:
        (move,) = await plan_reset(cluster, "board", [], reset)
    assert (move.committed, move.offset) == (None, 4)


@pytest.mark.anyio
@pytest.mark.usefixtures("_topic")
async def test_what_was_never_committed(broker: Broker) -> None:
    async with Cluster(parse_addresses(broker.bootstrap_servers)) as cluster:
        with pytest.raises(Refused, match="has committed nothing"):
            await plan_reset(cluster, "board", [], parse_reset(Method.TO_LATEST, "", ManualClock()))
        current = parse_reset(Method.TO_CURRENT, "", ManualClock())
        (move,) = await plan_reset(cluster, "board", ["flights"], current)
        assert move.offset == 9
        shift = parse_reset(Method.SHIFT_BY, "1", ManualClock())
        with pytest.raises(Refused, match="nothing to shift"):
            await plan_reset(cluster, "board", ["flights:0"], shift)
        with pytest.raises(typer.BadParameter, match="is not TOPIC"):
            await plan_reset(cluster, "board", ["flights:x"], current)


@pytest.mark.parametrize(
    ("text", "message"), [("flights,0", "line 1 is not"), ("a,b,c", "line 1"), ("", "no offset")]
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "offsets.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_offsets(str(file))
    with pytest.raises(Refused, match="No such file"):
        read_offsets(str(tmp_path / "nowhere"))


def test_a_number_must_be_one() -> None:
    with pytest.raises(typer.BadParameter, match="--shift-by"):
        parse_reset(Method.SHIFT_BY, "much", ManualClock())
