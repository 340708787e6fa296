"""Answers GET over HTTP/1.1: small pages for machines, one request a connection.

The protocol is h11's; here are the socket and the bounds. What is not a request of ours is answered
as HTTP wants it (400, 405, 431) and the connection closed, as it is after every answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup
from anyio.streams.stapled import MultiListener
from structlog.typing import FilteringBoundLogger

from godel.broker.context import Endpoint
from godel.clock import Clock
from godel.metrics import Counter

if TYPE_CHECKING:
    import h11

MAX_CONNECTIONS = 16
MAX_HEAD_BYTES = 8 * 1024
DEADLINE_MS = 10_000.0
"""For a connection, from its being accepted to its end."""
ACCEPT_AGAIN_MS = 1_000.0
"""After the system could not accept a connection, as when descriptors have run out."""
RECEIVE_BYTES = 4096
PLAIN_TEXT = "text/plain; charset=utf-8"
GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What tells that the peer is no longer there."""


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = PLAIN_TEXT


def text_page(status: int, text: str) -> Page:
    return Page(status, f"{text}\n".encode())


Answer: TypeAlias = Callable[[str], Awaitable[Page]]
"""From the path to the page."""


class HttpServer:
    """Listens on one address."""

    def __init__(
        self, answer: Answer, *, clock: Clock, bugs: Counter, log: FilteringBoundLogger
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._bugs = bugs
        self._log = log
        self._connections: dict[anyio.CancelScope, bool] = {}
        """The oldest first, each with whether its request is there."""
        self._listener: MultiListener[SocketStream] | None = None

    async def bind(self, host: str, port: int) -> Endpoint:
        """Take an address, of which the port may be 0: any. Raises OSError."""
        self._listener = await anyio.create_tcp_listener(local_host=host or None, local_port=port)
        return Endpoint(host, self._listener.extra(SocketAttribute.local_port))

    async def serve(self) -> None:
        """Answer until cancelled; then the address is free again."""
        assert self._listener is not None
        async with self._listener as listener, anyio.create_task_group() as tasks:
            for each in listener.listeners:
                tasks.start_soon(self._accept, cast(SocketListener, each), tasks)

    async def _accept(self, listener: SocketListener, tasks: TaskGroup) -> None:
        """Take connections. An error that got out would stop the broker: it is waited out."""
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                self._log.warning("http_accept_failed", reason=str(error))
                await self._clock.sleep(ACCEPT_AGAIN_MS)
            else:
                tasks.start_soon(self._take, stream)

    async def _take(self, stream: SocketStream) -> None:
        try:
            async with stream:
                if self._has_room():
                    await self._within_deadline(stream)
        except GONE:
            pass
        except Exception as error:  # noqa: BLE001  # a bug ends the connection, not the broker
            self._bugs.add()
            self._log.error("http_request_failed", exc_info=error)

    def _has_room(self) -> bool:
        """Whether one more may be let in; it takes the place of the one silent for longest.

        Else whoever holds connections open and says nothing would keep a liveness probe out.
        """
        if len(self._connections) < MAX_CONNECTIONS:
            return True
        silent = next(
            (each for each, has_asked in self._connections.items() if not has_asked), None
        )
        if silent is None:
            return False
        del self._connections[silent]
        silent.cancel()
        return True

    async def _within_deadline(self, stream: SocketStream) -> None:
        with anyio.CancelScope() as scope:
            self._connections[scope] = False
            timer = self._clock.call_later(DEADLINE_MS, scope.cancel)
            try:
                await self._converse(stream, scope)
            finally:
                timer.cancel()
                self._connections.pop(scope, None)

    async def _converse(self, stream: SocketStream, scope: anyio.CancelScope) -> None:
        import h11  # most brokers have no such listener

        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        try:
            request = await _request(connection, stream)
            self._connections[scope] = True
            page = await self._page(request)
        except h11.RemoteProtocolError as error:
            page = text_page(error.error_status_hint, str(error))
        await stream.send(_written(connection, page))
        await stream.send_eof()

    async def _page(self, request: h11.Request) -> Page:
        if request.method != b"GET":
            return Page(405, b"")
        return await self._answer(request.target.decode("ascii").partition("?")[0])


async def _request(connection: h11.Connection, stream: SocketStream) -> h11.Request:
    """Read until a request is there. Raises h11's RemoteProtocolError, and what is `GONE`."""
    import h11

    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            raise anyio.EndOfStream
        connection.receive_data(await stream.receive(RECEIVE_BYTES))


def _written(connection: h11.Connection, page: Page) -> bytes:
    import h11

    headers = [
        ("content-type", page.content_type),
        ("content-length", str(len(page.body))),
        ("connection", "close"),
    ]
    if page.status == 405:
        headers.append(("allow", "GET"))
    head = connection.send(h11.Response(status_code=page.status, headers=headers))
    body = connection.send(h11.Data(data=page.body))
    end = connection.send(h11.EndOfMessage())
    return b"".join(part for part in (head, body, end) if part)
