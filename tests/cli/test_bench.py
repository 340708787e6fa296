"""`godel bench`: measures, ends, and leaves nothing behind."""

from __future__ import annotations

import json

import pytest

from godel.cli.bench import DEFAULT_RECORDS, bounds
from godel.cli.measuring import LATENCIES
from godel.testing import Broker
from tests.cli.conftest import Command
from tests.wire import Client, batch


@pytest.mark.parametrize(
    "words",
    [("produce", "-n", "2000"), ("consume", "-n", "2000"), ("e2e", "-n", "20", "--rate", "2000")],
)
def test_so_many_records_are_measured_and_the_topic_is_gone(
    godel: Command, words: tuple[str, ...]
) -> None:
    result = godel("bench", *words, "--partitions", "2", "--output", "json")
    assert result.status == 0, result.err
    measured = json.loads(result.out)
    assert measured["benchmark"] == words[0]
    assert measured["records"] >= int(words[2])
    assert all(measured[name] > 0 for name in (*LATENCIES, "seconds", "bytes_per_s"))
    assert godel("topics", "list", "-o", "json").out == "[]\n"


def test_a_time_bounds_it_too(godel: Command) -> None:
    result = godel("bench", "produce", "--for", "50ms", "--batch", "10")
    assert result.status == 0
    assert "RECORDS-PER-S" in result.out


def test_a_topic_that_is_named_stays(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("flights")
        client.produce("flights", batch("not ours"))
        assert godel("bench", "e2e", "-n", "3", "--rate", "1000", "--topic", "flights").status == 0
        assert client.list_offset("flights", -1).offset == 4
        result = godel("bench", "consume", "--topic", "flights", "--output", "json")
    assert json.loads(result.out)["records"] == 4


def test_batches_that_are_refused_end_it(godel: Command, broker: Broker) -> None:
    with Client(broker) as client:
        client.create("states", configs={"cleanup.policy": "compact"})
    result = godel("bench", "produce", "--topic", "states", "-n", "5")
    assert result.status == 1
    assert "record 1 was rejected" in result.err


def test_a_topic_of_a_wrong_name_is_not_made(godel: Command, broker: Broker) -> None:
    result = godel("bench", "consume", "--topic", "nowhere")
    assert result.status == 4
    assert godel("topics", "list", "-o", "json").out == "[]\n"


def test_every_benchmark_has_a_bound() -> None:
    assert bounds(None, None, DEFAULT_RECORDS) == (DEFAULT_RECORDS, None)
    assert bounds(None, "2s", DEFAULT_RECORDS) == (None, 2_000)
    assert bounds(7, "2s", DEFAULT_RECORDS) == (7, 2_000)


def test_a_duration_that_is_none_is_wrong_usage(godel: Command) -> None:
    assert godel("bench", "produce", "--for", "soon").status == 2
