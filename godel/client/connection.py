"""One connection to a broker: agrees on versions, sends a request, reads its answer.

Requests go out one after another, each waits for its answer. A connection on which something went
wrong, or somebody stopped waiting, is out of step and is not used again (`is_broken`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import anyio
from anyio.abc import SocketStream

from godel import __version__
from godel.errors import DecodeError, ErrorCode
from godel.protocol import codec
from godel.protocol.api import API_VERSIONS_KEY
from godel.protocol.frame import (
    REQUEST_HEAD,
    SIZE,
    SIZE_BYTES,
    selector,
    skip_tagged_fields,
)
from godel.protocol.message import Message
from godel.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from godel.types import in_memory

R = TypeVar("R", bound=Message)

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
READ_BYTES = 256 * 1024
STRANGERS = {b"HTTP": "HTTP", b"\x15\x03": "TLS"}
"""What is spoken instead, by how an answer begins."""


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ConnectionFailed(Exception):
    """A broker could not be reached, or was lost. Trying again may help."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class UnsupportedApi(Exception):
    """The broker does not have an API, or in no version that can say what is asked."""


class Connection:
    """A connection whose versions are agreed. Made by `connect`."""

    def __init__(self, stream: SocketStream, address: Address, client_id: str) -> None:
        self.address = address
        self.is_broken = False
        self.negotiated = ApiVersionsResponse()
        self._versions: dict[int, tuple[int, int]] = {}
        self._stream = stream
        self._client_id = client_id.encode()
        self._correlation_id = 0
        self._turn = anyio.Lock()
        self._received = bytearray()

    async def send(
        self,
        request: Message,
        response: type[R],
        *,
        timeout_ms: float,
        at_most: int | None = None,
    ) -> R:
        """The answer, in the highest version that both sides know and `at_most` allows."""
        version = self.version_of(request, response, at_most)
        frame = self._frame(request, version)
        async with self._turn:
            with self._out_of_step_on_failure(timeout_ms):
                await self._stream.send(frame)
                body = await self._receive()
        try:
            return codec.decode(response, self._body(body, response, version), version)
        except DecodeError as error:
            self.is_broken = True
            name = response.__name__
            raise ConnectionFailed(self.address, f"sent a {name} that is none: {error}") from error

    async def post(self, request: Message, *, timeout_ms: float, at_most: int) -> None:
        """Send a request that is not answered."""
        version = self.version_of(request, type(request), at_most)
        async with self._turn:
            with self._out_of_step_on_failure(timeout_ms):
                await self._stream.send(self._frame(request, version))

    def version_of(
        self, request: Message, response: type[Message], at_most: int | None = None
    ) -> int:
        """Which version a request goes out in. Raises `UnsupportedApi`."""
        kind = type(request)
        name = kind.__name__.removesuffix("Request")
        theirs = self._versions.get(kind.API_KEY)
        if theirs is None:
            raise UnsupportedApi(f"{self.address} does not offer {name}")
        first = max(theirs[0], kind.VERSIONS[0], response.VERSIONS[0])
        last = min(theirs[1], kind.VERSIONS[1], response.VERSIONS[1])
        if at_most is not None:
            last = min(last, at_most)
        if last < first:
            raise UnsupportedApi(
                f"{self.address} offers {name} {theirs[0]} to {theirs[1]}, "
                f"and none of them is spoken here"
            )
        return last

    async def negotiate(self, timeout_ms: float) -> None:
        """Ask what the broker offers (KIP-511): in our latest version, then in theirs."""
        newest = ApiVersionsRequest.VERSIONS[1]
        self._versions = {API_VERSIONS_KEY: (0, newest)}
        request = ApiVersionsRequest(
            client_software_name="godel", client_software_version=__version__
        )
        answer = await self._negotiated(request, newest, timeout_ms)
        if answer.error_code == ErrorCode.UNSUPPORTED_VERSION:
            offered = [each for each in answer.api_keys if each.api_key == API_VERSIONS_KEY]
            theirs = offered[0].max_version if offered else 0
            answer = await self._negotiated(request, min(newest, theirs), timeout_ms)
        if answer.error_code:
            raise ConnectionFailed(self.address, f"refuses ApiVersions with {answer.error_code}")
        self.negotiated = answer
        self._versions = {
            each.api_key: (each.min_version, each.max_version) for each in answer.api_keys
        }

    async def _negotiated(
        self, request: ApiVersionsRequest, version: int, timeout_ms: float
    ) -> ApiVersionsResponse:
        """A broker that does not know the version answers in version 0."""
        async with self._turn:
            with self._out_of_step_on_failure(timeout_ms):
                await self._stream.send(self._frame(request, version))
                frame = await self._receive()
        body = memoryview(frame)[SIZE_BYTES:]
        refused = body[:2] == ErrorCode.UNSUPPORTED_VERSION.to_bytes(2, "big")
        try:
            return codec.decode(ApiVersionsResponse, body, 0 if refused else version)
        except DecodeError as error:
            raise self._stranger() from error

    async def close(self) -> None:
        """Close at once, without a farewell."""
        self.is_broken = True
        await anyio.aclose_forcefully(self._stream)

    # -- frames -------------------------------------------------------------------------------

    def _frame(self, request: Message, version: int) -> bytes:
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        number = selector(request.API_KEY, version)
        head = bytearray(SIZE_BYTES)
        head += REQUEST_HEAD.pack(number, self._correlation_id, len(self._client_id))
        head += self._client_id
        if version >= request.FLEXIBLE_SINCE:
            head.append(0)
        buffers = codec.encoder(type(request), version)(request, head)
        SIZE.pack_into(head, 0, sum(map(len, buffers)) - SIZE_BYTES)
        return b"".join(map(in_memory, buffers))

    async def _receive(self) -> bytes:
        """The next frame, without its size; its correlation id must be the last one sent."""
        await self._fill(SIZE_BYTES)
        (size_bytes,) = SIZE.unpack_from(self._received)
        if not SIZE_BYTES <= size_bytes <= MAX_RESPONSE_BYTES:
            raise self._stranger()
        await self._fill(SIZE_BYTES + size_bytes)
        frame = bytes(memoryview(self._received)[SIZE_BYTES : SIZE_BYTES + size_bytes])
        del self._received[: SIZE_BYTES + size_bytes]
        if int.from_bytes(frame[:SIZE_BYTES], "big") != self._correlation_id:
            raise self._stranger()
        return frame

    async def _fill(self, size_bytes: int) -> None:
        while len(self._received) < size_bytes:
            self._received += await self._stream.receive(READ_BYTES)

    def _body(self, frame: bytes, response: type[Message], version: int) -> memoryview:
        view = memoryview(frame)
        at = SIZE_BYTES
        if version >= response.FLEXIBLE_SINCE and response.API_KEY != API_VERSIONS_KEY:
            at = skip_tagged_fields(view, at)
        return view[at:]

    def _stranger(self) -> ConnectionFailed:
        self.is_broken = True
        begins = bytes(self._received[:SIZE_BYTES])
        found = next((what for head, what in STRANGERS.items() if begins.startswith(head)), None)
        what = f"but {found}" if found else "in plain text (TLS, or another server)"
        return ConnectionFailed(self.address, f"does not speak the Kafka protocol {what}")

    @contextmanager
    def _out_of_step_on_failure(self, timeout_ms: float) -> Iterator[Any]:
        try:
            with anyio.fail_after(timeout_ms / 1000):
                yield
        except TimeoutError:
            self.is_broken = True
            raise ConnectionFailed(
                self.address, f"no answer in {timeout_ms / 1000:g} seconds"
            ) from None
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self.is_broken = True
            raise ConnectionFailed(self.address, "closed the connection") from None
        except BaseException:
            self.is_broken = True
            raise


async def connect(address: Address, *, client_id: str, timeout_ms: float) -> Connection:
    """Dial and negotiate. Raises `ConnectionFailed`."""
    try:
        with anyio.fail_after(timeout_ms / 1000):
            stream = await anyio.connect_tcp(address.host, address.port)
    except TimeoutError:
        seconds = f"{timeout_ms / 1000:g}"
        raise ConnectionFailed(address, f"no connection in {seconds} seconds") from None
    except OSError as error:
        raise ConnectionFailed(address, _reason(error)) from None
    connection = Connection(stream, address, client_id)
    try:
        await connection.negotiate(timeout_ms)
    except BaseException:
        await connection.close()
        raise
    return connection


def _reason(error: OSError) -> str:
    """The system's words, without its numbers; anyio hides the one cause behind several tries."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    told = cause if isinstance(cause, OSError) else error
    if told.errno is None or told.errno <= 0:  # a name that is not found
        return (told.strerror or str(told)).lower()
    return os.strerror(told.errno).lower()
