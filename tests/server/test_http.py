"""HTTP for machines: what is answered, what is refused, and that nobody can hold it up."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator

import anyio
import pytest
import structlog
from anyio.abc import SocketListener, SocketStream
from structlog.testing import LogCapture

from godel.broker.context import Endpoint
from godel.clock import ManualClock
from godel.metrics import Counter
from godel.server.http import (
    ACCEPT_AGAIN_MS,
    DEADLINE_MS,
    MAX_CONNECTIONS,
    MAX_HEAD_BYTES,
    HttpServer,
    Page,
)
from tests.server.harness import until

pytestmark = pytest.mark.anyio
PATIENCE_S = 10


class Answering:
    """A server whose pages are what it was asked for."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bugs = Counter()
        self.logged = LogCapture()
        self.server = HttpServer(
            self.answer,
            clock=self.clock,
            bugs=self.bugs,
            log=structlog.wrap_logger(None, processors=[self.logged]),
        )
        self.endpoint = Endpoint("", 0)
        self.may_answer = anyio.Event()
        """For /wait."""

    async def answer(self, path: str) -> Page:
        if path == "/bug":
            raise RuntimeError("a bug")
        if path == "/wait":
            await self.may_answer.wait()
        return Page(200, path.encode())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.endpoint.host, self.endpoint.port)

    @property
    def connections(self) -> int:
        return len(self.server._connections)

    @property
    def asked(self) -> int:
        """The connections whose request is there."""
        return sum(self.server._connections.values())

    async def send(self, request: bytes) -> bytes:
        """All that comes back until the server closes."""
        reader, writer = await self.connect()
        writer.write(request)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def http() -> AsyncIterator[Answering]:
    answering = Answering()
    answering.endpoint = await answering.server.bind("127.0.0.1", 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answering.server.serve)
        yield answering
        tasks.cancel_scope.cancel()


async def test_a_page_is_answered_and_the_connection_closed(http: Answering) -> None:
    answer = await http.send(b"GET /page?x=1 HTTP/1.1\r\nHost: h\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in head.lower()
    assert body == b"/page"


async def test_a_request_may_come_byte_by_byte(http: Answering) -> None:
    reader, writer = await http.connect()
    for byte in b"GET / HTTP/1.1\r\nHost: h\r\n\r\n":
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await reader.read()).endswith(b"\r\n\r\n/")
    writer.close()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", 405),
        (b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 2 * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 2 * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
    ],
)
async def test_what_is_not_a_request_of_ours_is_refused(
    http: Answering, request_bytes: bytes, status: int
) -> None:
    answer = await http.send(request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"\r\nallow: GET\r\n" in answer) == (status == 405)
    assert http.bugs.value == 0
    assert b"200" in await http.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")


async def test_a_bug_ends_its_connection_and_is_counted(http: Answering) -> None:
    assert await http.send(b"GET /bug HTTP/1.1\r\nHost: h\r\n\r\n") == b""
    assert http.bugs.value == 1
    assert http.logged.entries[0]["event"] == "http_request_failed"
    assert b"200" in await http.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")


async def test_a_peer_that_goes_away_is_no_bug(http: Answering) -> None:
    _, writer = await http.connect()
    writer.write(b"GET / HT")
    await until(lambda: http.connections == 1)
    writer.transport.abort()
    await until(lambda: http.connections == 0)
    assert http.bugs.value == 0
    assert not http.logged.entries


async def test_a_peer_that_sends_nothing_is_cut_off(http: Answering) -> None:
    reader, writer = await http.connect()
    await until(lambda: http.connections == 1)
    http.clock.advance(DEADLINE_MS)
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
    writer.close()


async def test_the_number_of_connections_is_bounded(http: Answering) -> None:
    held = [await http.connect() for _ in range(MAX_CONNECTIONS)]
    for _, each in held:
        each.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    await until(lambda: http.asked == MAX_CONNECTIONS)
    assert await http.send(b"") == b""
    http.may_answer.set()
    for reader, each in held:
        assert b"200" in await reader.read()
        each.close()
    await until(lambda: http.connections == 0)
    assert b"200" in await http.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")


async def test_where_there_is_no_room_the_longest_silent_connection_makes_it(
    http: Answering,
) -> None:
    asking, asker = await http.connect()
    asker.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    await until(lambda: http.asked == 1)
    silent = []
    for _ in range(MAX_CONNECTIONS - 1):
        silent.append(await http.connect())
        silent[-1][1].write(b"GET / HTTP/1.1\r\n")
        await until(lambda: http.connections == 1 + len(silent))
    assert b"200" in await http.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await silent[0][0].read() == b""
    await until(lambda: http.connections == MAX_CONNECTIONS - 1)
    for _, each in silent[1:]:
        each.write(b"Host: h\r\n\r\n")
    for reader, _ in silent[1:]:
        assert b"200" in await reader.read()
    http.may_answer.set()
    assert b"200" in await asking.read()
    for each in (asker, *(writer for _, writer in silent)):
        each.close()


async def test_it_goes_on_after_a_connection_could_not_be_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    http = Answering()
    http.endpoint = await http.server.bind("127.0.0.1", 0)
    assert http.server._listener is not None
    (listener,) = http.server._listener.listeners
    assert isinstance(listener, SocketListener)
    accept = listener.accept

    async def exhausted() -> SocketStream:
        monkeypatch.setattr(listener, "accept", accept)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(listener, "accept", exhausted)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.server.serve)
        await until(lambda: bool(http.logged.entries))
        assert http.logged.entries[0]["event"] == "http_accept_failed"
        http.clock.advance(ACCEPT_AGAIN_MS)
        assert b"200" in await http.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        tasks.cancel_scope.cancel()


async def test_an_address_that_is_taken_is_refused(http: Answering) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
        await Answering().server.bind("127.0.0.1", http.endpoint.port)
