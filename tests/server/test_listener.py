"""Listening: addresses, limits, refusal, and the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from godel.broker.context import Endpoint
from godel.server.listener import Listener
from tests.server.harness import Server, beat, blob, join, produce, until

pytestmark = pytest.mark.anyio

Serve = Callable[..., Awaitable[Server]]


async def test_a_port_in_use_is_told_with_its_address(serve: Serve) -> None:
    server = await serve()
    second = Listener(server.reception)
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{server.listener.port}.*in use"):
        await second.bind("127.0.0.1", server.listener.port)
    assert second.addresses == []


async def test_an_address_that_is_not_ours_is_told(serve: Serve) -> None:
    server = await serve()
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:"):
        await Listener(server.reception).bind("192.0.2.1", 0)
    with pytest.raises(OSError, match=r"cannot listen on no-such-host\.invalid:9092"):
        await Listener(server.reception).bind("no-such-host.invalid", 9092)


async def test_a_port_can_be_used_again_at_once(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(1))
    await client.answers(1)
    server.listener.stop_accepting()
    await server.reception.close()
    assert await client.ended()
    again = await serve(port=server.listener.port)
    assert again.listener.port == server.listener.port


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_ipv6(serve: Serve) -> None:
    server = await serve(host="::1")
    client = await server.connect(host="::1")
    client.send(beat(3), correlation_id=3)
    assert await client.answers(1) == [3]


async def test_all_addresses_of_a_host_share_one_port(serve: Serve) -> None:
    server = await serve(host="")
    assert len({port for _, port in server.listener.addresses}) == 1
    client = await server.connect(host="127.0.0.1")
    client.send(beat(3), correlation_id=3)
    assert await client.answers(1) == [3]


async def test_the_context_tells_where_clients_should_connect(serve: Serve) -> None:
    server = await serve(advertised=Endpoint("broker.example", 19092))
    client = await server.connect()
    client.send(beat(1, "context"))
    await client.answers(1)
    assert server.contexts == [("127.0.0.1", "tester", Endpoint("broker.example", 19092))]


async def test_without_an_advertised_address_it_is_the_one_that_was_bound(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(1, "context"))
    await client.answers(1)
    assert server.contexts[0][2] == Endpoint("127.0.0.1", server.listener.port)


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_ip"])
async def test_too_many_connections_are_refused_until_one_leaves(serve: Serve, limit: str) -> None:
    server = await serve(**{limit: 2})
    first, second, third = [await server.connect() for _ in range(3)]
    assert await third.ended()
    for client in (first, second):
        client.send(beat(1), correlation_id=1)
        assert await client.answers(1) == [1]
    first.close()
    await until(lambda: server.metrics.connections.value == 1)
    fourth = await server.connect()
    fourth.send(beat(4), correlation_id=4)
    assert await fourth.answers(1) == [4]
    setting = limit.replace("_", ".")
    assert server.count(f"godel_connections_refused_total{{limit={setting}}}") == 1
    assert server.metrics.connections_accepted.value == 3


async def test_closing_finishes_what_was_taken(serve: Serve) -> None:
    server = await serve()
    waiting, idle, pipelined = [await server.connect() for _ in range(3)]
    waiting.send(join("gate"), correlation_id=1)
    waiting.send(beat(99), correlation_id=2)
    pipelined.send(produce(1, waits_for="gate"), correlation_id=3)
    pipelined.send(beat(2), correlation_id=4)
    await until(lambda: len(server.taken) == 3)
    server.listener.stop_accepting()
    closing = asyncio.ensure_future(server.reception.close())
    assert await idle.ended()
    pipelined.send(beat(5), correlation_id=5)
    server.open("gate")
    assert await waiting.answers(1) == [1]
    assert await pipelined.answers(2) == [3, 4]
    assert await waiting.ended()
    assert await pipelined.ended()
    await closing
    assert 99 not in server.taken
    assert server.metrics.connections_closed.of("shutdown").value == 3


async def test_closing_ends_at_its_deadline(serve: Serve) -> None:
    server = await serve(max_stalled_ms=100_000)
    waiting, unread = await server.connect(), await server.connect(limit=1000)
    waiting.send(join("gate"), correlation_id=1)
    unread.send(blob(16_000_000))
    await until(lambda: len(server.taken) == 2)
    server.listener.stop_accepting()
    closing = asyncio.ensure_future(server.reception.close(2_000))
    await asyncio.sleep(0)
    server.clock.advance(1_999)
    await asyncio.sleep(0)
    assert not closing.done()
    server.clock.advance(1)
    await closing
    assert await waiting.ended()
    assert server.waits_cancelled == 1


async def test_nobody_is_let_in_while_closing(serve: Serve) -> None:
    server = await serve()
    waiting = await server.connect()
    waiting.send(join("gate"), correlation_id=1)
    await until(lambda: server.taken)
    closing = asyncio.ensure_future(server.reception.close())
    await asyncio.sleep(0)
    late = await server.connect()
    assert await late.ended()
    server.listener.stop_accepting()
    with pytest.raises(ConnectionRefusedError):
        await server.connect()
    server.open("gate")
    await closing
