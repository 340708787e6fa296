"""`godel bench`: measures, ends, and leaves nothing behind."""

from __future__ import annotations

import json

import pytest

from godel.cli.bench import DEFAULT_RECORDS, Plan, bounds, measure_produce
from godel.cli.measuring import LATENCIES, Measurement
from godel.client.cluster import Cluster, parse_addresses
from godel.client.fetching import PARTITION_MAX_BYTES
from godel.client.producing import BATCH_BYTES
from godel.records.batch import EndMarker, parse_header
from godel.records.builder import NewRecord, control_batch
from godel.testing import Broker
from tests.cli.conftest import Command
from tests.client.conftest import StandingClock
from tests.wire import NOW_MS, Client, batch


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


def test_a_poll_without_records_is_not_the_end(godel: Command, broker: Broker) -> None:
    """The first fetch gets a marker only, as the batch behind it is too large for the rest."""
    marker = control_batch(
        EndMarker(is_commit=True, coordinator_epoch=0),
        producer_id=1,
        producer_epoch=0,
        timestamp_ms=NOW_MS,
    )
    with Client(broker) as client:
        client.create("flights")
        broker.run(
            lambda node: node.broker.partition("flights", 0).append_internal(
                marker, parse_header(marker)
            )
        )
        client.produce("flights", batch(NewRecord(None, bytes(PARTITION_MAX_BYTES - 100))))
    result = godel("bench", "consume", "--topic", "flights", "-n", "1", "--output", "json")
    assert json.loads(result.out)["records"] == 1


class CountingClock(StandingClock):
    """Time passes when somebody looks."""

    looks = 0

    def monotonic_ms(self) -> float:
        self.looks += 1
        return self.looks


@pytest.mark.anyio
async def test_the_latency_of_a_record_that_fills_a_batch_has_its_request_in_it(
    broker: Broker,
) -> None:
    clock = CountingClock()
    size = BATCH_BYTES + 1
    plan = Plan("produce", "request", "flights", 1, records=1, duration_ms=None, size=size)
    measurement = Measurement(clock)
    with Client(broker) as client:
        client.create("flights")
    addresses = parse_addresses(broker.bootstrap_servers)
    async with Cluster(addresses, timeout_ms=10_000, clock=clock) as cluster:
        await measure_produce(cluster, "flights", plan, measurement)
    assert measurement.latencies.max_ms > 1, "nothing was asked between the two looks"


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
