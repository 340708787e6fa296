"""A connection of the client: agreeing on versions, strangers, and what breaks it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from godel.client.connection import Address, ConnectionFailed, UnsupportedApi, connect
from godel.protocol import codec
from godel.protocol.messages.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from godel.protocol.messages.metadata import MetadataRequest, MetadataResponse
from godel.protocol.messages.produce import ProduceRequest, ProduceResponse
from godel.testing import Broker

pytestmark = pytest.mark.anyio

TIMEOUT_MS = 5_000
Answer = Callable[[bytes], bytes | None]


@contextmanager
def server(*answers: Answer) -> Iterator[Address]:
    """A server that answers one frame after the other of one connection; None closes it."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for answer in answers:
                size_bytes = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
                said = answer(connection.recv(size_bytes, socket.MSG_WAITALL))
                if said is None:
                    return
                connection.sendall(said)
            with suppress(ConnectionError):
                while connection.recv(4096):
                    pass  # silent until the peer has had enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        thread.join(10)


def framed(request: bytes, body: bytes) -> bytes:
    """A response that carries the request's correlation id."""
    frame = request[4:8] + body
    return len(frame).to_bytes(4, "big") + frame


def offering(*apis: ApiVersion, version: int = 5, error_code: int = 0) -> Answer:
    response = ApiVersionsResponse(error_code=error_code, api_keys=list(apis))
    return lambda request: framed(request, codec.encode(response, version))


async def test_requests_are_answered(broker: Broker) -> None:
    connection = await connect(Address(*broker.node.listens_on), client_id="t", timeout_ms=5_000)
    answer = await connection.send(
        MetadataRequest(topics=[]), MetadataResponse, timeout_ms=TIMEOUT_MS
    )
    assert [each.node_id for each in answer.brokers] == [1]
    await connection.close()
    assert connection.is_broken


async def test_the_highest_version_that_both_know_is_used() -> None:
    with server(offering(ApiVersion(3, 0, 7), ApiVersion(0, 3, 99))) as address:
        connection = await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)
        assert connection.version_of(MetadataRequest(), MetadataResponse) == 7
        assert connection.version_of(ProduceRequest(), ProduceResponse) == 13
        assert connection.version_of(ProduceRequest(), ProduceResponse, 12) == 12
        await connection.close()


async def test_an_older_broker_is_asked_again_in_its_own_version() -> None:
    versions: list[int] = []

    def remembered(answer: Answer) -> Answer:
        def answering(request: bytes) -> bytes | None:
            versions.append(int.from_bytes(request[2:4], "big"))
            return answer(request)

        return answering

    refusal = offering(ApiVersion(18, 0, 2), version=0, error_code=35)
    accepted = offering(ApiVersion(3, 0, 1), version=2)
    with server(remembered(refusal), remembered(accepted)) as address:
        connection = await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)
        assert versions == [ApiVersionsRequest.VERSIONS[1], 2]
        assert connection.version_of(MetadataRequest(), MetadataResponse) == 1
        await connection.close()


async def test_what_is_not_offered_is_said() -> None:
    with server(offering(ApiVersion(0, 0, 2))) as address:
        connection = await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)
        with pytest.raises(UnsupportedApi, match="does not offer Metadata"):
            connection.version_of(MetadataRequest(), MetadataResponse)
        with pytest.raises(UnsupportedApi, match="offers Produce 0 to 2"):
            connection.version_of(ProduceRequest(), ProduceResponse)
        await connection.close()


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "but HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "but TLS"),
        (b"220 mail.example ESMTP\r\n", "in plain text"),
    ],
)
async def test_a_stranger_is_recognized(answer: bytes, what: str) -> None:
    with (
        server(lambda _request: answer) as address,
        pytest.raises(ConnectionFailed, match=f"does not speak the Kafka protocol {what}"),
    ):
        await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)


async def test_an_answer_to_something_else_breaks_the_connection() -> None:
    with (
        server(lambda request: framed(request, b"")[:4] + bytes(4)) as address,
        pytest.raises(ConnectionFailed, match="does not speak"),
    ):
        await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)


async def test_a_lost_connection_is_broken() -> None:
    with server(offering(ApiVersion(3, 0, 7)), lambda _request: None) as address:
        connection = await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)
        with pytest.raises(ConnectionFailed, match="closed the connection"):
            await connection.send(MetadataRequest(), MetadataResponse, timeout_ms=TIMEOUT_MS)
        assert connection.is_broken
        await connection.close()


async def test_silence_ends_with_the_timeout() -> None:
    with server(offering(ApiVersion(3, 0, 7))) as address:
        connection = await connect(address, client_id="t", timeout_ms=TIMEOUT_MS)
        with pytest.raises(ConnectionFailed, match="no answer in"):
            await connection.send(MetadataRequest(), MetadataResponse, timeout_ms=1)
        assert connection.is_broken
        await connection.close()


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionFailed, match="connection refused"):
        await connect(Address("127.0.0.1", port), client_id="t", timeout_ms=TIMEOUT_MS)
