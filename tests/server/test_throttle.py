"""Clients over their quota are told to wait, and made to (KIP-219)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from godel.broker.context import Endpoint, RequestContext
from godel.clock import ManualClock
from godel.metrics import Metrics
from godel.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    EntityData,
    EntryData,
    OpData,
)
from godel.protocol.messages.fetch import FetchRequest, FetchResponse
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.metadata import MetadataRequest, MetadataResponse
from godel.protocol.messages.produce import ProduceResponse
from godel.security.quotas import (
    CONSUMER_BYTE_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    Quotas,
    entity,
)
from godel.server.throttle import Throttle
from godel.testing import Broker
from tests.server.harness import Server, beat, join, produce, until
from tests.wire import Client, batch, bytes_of, fetch_request, fetched, produce_request, produced

LARGE = batch("x" * 20_000)
ME = entity(client_id="tester")


def limit(client: Client, key: str, rate: float, client_id: str | None = "tester") -> None:
    entry = EntryData([EntityData("client-id", client_id)], [OpData(key, rate)])
    (done,) = client.send(AlterClientQuotasRequest(entries=[entry])).entries
    assert done.error_code == 0, done


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with Client(broker) as client:
        client.create("t")
        yield client


@pytest.fixture
def operator(broker: Broker) -> Iterator[Client]:
    with Client(broker, client_id="operator") as client:
        yield client


def request_context() -> RequestContext:
    """Whose request it is; a throttle asks no broker."""
    context = RequestContext(
        cast("Any", None), client_host="localhost", listener=Endpoint("localhost", 9092)
    )
    context.client_id = "tester"
    return context


def is_heard(operator: Client, client: Client) -> bool:
    """Whether the client has an answer, after all that it sent has been looked at."""
    for _ in range(3):
        operator.send(MetadataRequest(topics=[]))
    return not client.is_silent()


@pytest.mark.parametrize("acks", [-1, 1])
def test_a_producer_over_its_quota_is_told_to_wait_and_made_to(
    broker: Broker, client: Client, operator: Client, acks: int
) -> None:
    limit(operator, PRODUCER_BYTE_RATE, 1000)
    response = client.send(produce_request({("t", 0): LARGE}, acks=acks))
    assert produced(response).error_code == 0
    delay_ms = response.throttle_time_ms
    assert 10_000 <= delay_ms < 10_500, "20 kB in ten seconds are 2 kB/s: as long again"
    client.post(MetadataRequest(topics=[]))
    broker.advance(delay_ms - 1)
    assert not is_heard(operator, client)
    broker.advance(1)
    assert client.take(MetadataResponse).throttle_time_ms == 0
    assert (
        broker.run(lambda node: node.broker.metrics.snapshot())[
            "godel_throttle_ms_total{quota=producer_byte_rate}"
        ]
        == delay_ms
    )


def test_a_producer_without_answers_is_held_up_too(
    broker: Broker, client: Client, operator: Client
) -> None:
    limit(operator, PRODUCER_BYTE_RATE, 1000)
    client.post(produce_request({("t", 0): LARGE}, acks=0))
    client.post(MetadataRequest(topics=[]))
    assert not is_heard(operator, client)
    broker.advance(11_000)
    client.take(MetadataResponse)


def test_pipelined_requests_behind_one_that_is_over_the_quota_wait(
    broker: Broker, client: Client, operator: Client
) -> None:
    limit(operator, PRODUCER_BYTE_RATE, 1000)
    for _ in range(3):
        client.post(produce_request({("t", 0): LARGE}))
    assert client.take(ProduceResponse).throttle_time_ms >= 10_000
    assert not is_heard(operator, client)
    broker.advance(11_000)
    assert produced(client.take(ProduceResponse)).base_offset == 1
    assert not is_heard(operator, client)
    broker.advance(60_000)
    assert produced(client.take(ProduceResponse)).base_offset == 2


def test_a_consumer_gets_what_its_windows_hold_and_waits(
    broker: Broker, client: Client, operator: Client
) -> None:
    for _ in range(5):
        client.produce("t", batch("x" * 4000))
    limit(operator, CONSUMER_BYTE_RATE, 1000)
    request = fetch_request({("t", 0): 0}, max_bytes=1 << 20)
    response = client.send(request, 12)
    assert 8000 < len(bytes_of(fetched(response))) < 12_500, "ten seconds of the quota"
    client.post(request, 12)
    first = response.throttle_time_ms
    assert first >= 0
    broker.advance(first)
    second = client.take(FetchResponse, 12)
    assert second.throttle_time_ms > 5000
    client.post(request, 12)
    assert not is_heard(operator, client)
    broker.advance(second.throttle_time_ms)
    client.take(FetchResponse, 12)


def test_other_clients_are_not_held_up_and_a_lifted_quota_is_forgotten(
    broker: Broker, client: Client, operator: Client
) -> None:
    limit(operator, PRODUCER_BYTE_RATE, 1000)
    client.send(produce_request({("t", 0): LARGE}))
    assert operator.send(produce_request({("t", 0): LARGE})).throttle_time_ms == 0
    removal = EntryData(
        [EntityData("client-id", "tester")], [OpData(PRODUCER_BYTE_RATE, remove=True)]
    )
    operator.send(AlterClientQuotasRequest(entries=[removal]))
    assert not broker.run(lambda node: node.broker.quotas.is_on)
    with Client(broker) as again:
        assert again.send(produce_request({("t", 0): LARGE})).throttle_time_ms == 0


def test_quotas_survive_a_restart(broker: Broker, operator: Client) -> None:
    limit(operator, PRODUCER_BYTE_RATE, 1000, client_id=None)
    operator.create("t")
    broker.stop()
    broker.start()
    with Client(broker, client_id="anybody") as client:
        response = client.send(produce_request({("t", 0): LARGE}))
        assert response.throttle_time_ms >= 10_000


def test_a_broker_stops_while_clients_are_held_up(
    broker: Broker, client: Client, operator: Client
) -> None:
    limit(operator, PRODUCER_BYTE_RATE, 1000)
    client.send(produce_request({("t", 0): LARGE}))
    client.post(MetadataRequest(topics=[]))
    broker.stop()
    assert client.is_closed()


def test_time_in_the_handler_counts_and_the_wait_is_one_window_at_most() -> None:
    clock, quotas, metrics = ManualClock(), Quotas(), Metrics()
    quotas.replace({ME: {REQUEST_PERCENTAGE: 1.0}})
    throttle = Throttle(quotas, clock=clock, metrics=metrics)
    context = request_context()

    def request_of(busy_ms: float) -> int:
        request = HeartbeatRequest()
        usage = throttle.begin(context, request, 100)
        clock.advance(busy_ms)
        throttle.handled(usage)
        return throttle.settle(usage, request, 0)

    assert request_of(90.0) == 0, "90 ms in ten seconds are 0.9 %"
    assert 900 < request_of(20.0) <= 1000
    assert request_of(5000.0) == 1000
    assert metrics.snapshot()["godel_throttled_total{quota=request_percentage}"] == 2


def test_a_fetch_without_a_quota_keeps_its_bound() -> None:
    quotas = Quotas()
    quotas.replace({ME: {CONSUMER_BYTE_RATE: 1000.0}})
    throttle = Throttle(quotas, clock=ManualClock(), metrics=Metrics())
    context = request_context()
    for client_id, most in (("tester", 10_000), ("another", 1 << 30)):
        context.client_id = client_id
        request = FetchRequest(max_bytes=1 << 30)
        throttle.begin(context, request, 100)
        assert request.max_bytes == most


@pytest.mark.anyio
async def test_what_was_taken_before_is_answered_and_the_next_request_waits(
    serve: Callable[..., Awaitable[Server]],
) -> None:
    server = await serve()
    server.quotas.replace({ME: {PRODUCER_BYTE_RATE: 1.0}})
    client = await server.connect()
    other = await server.connect()
    for number in (1, 2):
        client.send(produce(number, waits_for="gate"), correlation_id=number)
    await until(lambda: server.taken == [1, 2])
    server.open("gate")
    assert await client.answers(2) == [1, 2]
    client.send(beat(3), correlation_id=3)
    other.send(beat(4), correlation_id=4)
    assert await other.answers(1) == [4]
    assert server.taken == [1, 2, 4]
    server.clock.advance(1_000_000)
    assert await client.answers(1) == [3]


@pytest.mark.anyio
async def test_what_a_quota_makes_wait_is_not_slow(
    serve: Callable[..., Awaitable[Server]],
) -> None:
    server = await serve()
    server.dispatcher.slow.configure(100)
    server.quotas.replace({ME: {PRODUCER_BYTE_RATE: 1.0}})
    client = await server.connect()
    client.send(produce(1), correlation_id=1)
    client.send(join("gate"), correlation_id=2)
    client.send(beat(3), correlation_id=3)
    assert await client.answers(1) == [1]
    while not server.count("godel_requests_waiting"):
        server.clock.advance(10)
    server.clock.advance(150)
    server.open("gate")
    assert await client.answers(2) == [2, 3]
    (line,) = [dict(each) for each in server.logged.entries if each["event"] == "slow_request"]
    assert line["api"] == "Heartbeat"
    assert line["queue_ms"] == pytest.approx(150, abs=10)
    assert server.metrics.stages("JoinGroup", "3").queue.sum_s == 0


@pytest.mark.anyio
async def test_a_request_that_waits_for_others_and_for_quotas_queues_for_the_others_only(
    serve: Callable[..., Awaitable[Server]],
) -> None:
    server = await serve()
    server.quotas.replace({ME: {PRODUCER_BYTE_RATE: 1.0}})
    client = await server.connect()
    client.send(produce(1, waits_for="first"), correlation_id=1)
    client.send(produce(2, waits_for="second"), correlation_id=2)
    client.send(join("last"), correlation_id=3)
    client.send(beat(4), correlation_id=4)
    await until(lambda: server.metrics.request_memory_bytes.value > 400)
    throttled_ms = server.metrics.throttle_ms.of(PRODUCER_BYTE_RATE)
    for gate, number in (("first", 1), ("second", 2)):
        server.clock.advance(100)
        server.open(gate)
        before_ms = throttled_ms.value
        assert await client.answers(1) == [number]
        server.clock.advance(throttled_ms.value - before_ms)
    server.clock.advance(100)
    server.open("last")
    assert await client.answers(2) == [3, 4]
    assert server.metrics.stages("Heartbeat", "3").queue.sum_s == pytest.approx(0.3, abs=0.01)
