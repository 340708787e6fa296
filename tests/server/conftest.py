"""Servers on real sockets, on both event loops; time stands still unless a test moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from godel.broker.context import Endpoint
from godel.server.limits import Limits
from tests.server.harness import Server, until


@pytest.fixture(params=["uvloop", "selector"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Start servers; at the end they are gone and hold nothing."""
    async with AsyncExitStack() as stack:

        async def start(
            host: str = "127.0.0.1",
            port: int = 0,
            advertised: Endpoint | None = None,
            **limits: Any,
        ) -> Server:
            server = Server(Limits(**limits))
            await server.listener.bind(host, port)
            await server.listener.start(advertised)
            stack.push_async_callback(stop, server)
            return server

        yield start


async def stop(server: Server) -> None:
    for client in server.clients:
        client.close()
    server.listener.stop_accepting()
    await until(lambda: server.metrics.connections.value == 0)
    await server.reception.close()
    assert server.metrics.request_memory_bytes.value == 0
    assert server.count("godel_requests_waiting") == 0
