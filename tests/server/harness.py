"""A server with a few small APIs, on real sockets, and a client that speaks bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import structlog
from structlog.testing import LogCapture

from godel.broker.context import Endpoint, RequestContext
from godel.clock import ManualClock
from godel.errors import ApiError, CloseConnection, ErrorCode
from godel.handlers.api_versions import with_api_versions
from godel.metrics import Metrics
from godel.protocol import codec
from godel.protocol import frame as framing
from godel.protocol.api import Api
from godel.protocol.message import Message
from godel.protocol.messages.fetch import FetchRequest, FetchResponse
from godel.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from godel.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from godel.security.quotas import Quotas
from godel.server.connection import Connection
from godel.server.dispatch import Dispatcher
from godel.server.limits import Limits
from godel.server.listener import Listener
from godel.server.reception import Reception

PATIENCE_S = 10.0


async def until(happened: Callable[[], object]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110  # not everything has an event
            await asyncio.sleep(0)


class Client:
    """One connection to the server under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @staticmethod
    def frame(message: Message, version: int, correlation_id: int) -> bytes:
        return framing.request_frame(
            message.API_KEY,
            version,
            codec.encode(message, version),
            correlation_id=correlation_id,
            client="tester",
            flexible=version >= message.FLEXIBLE_SINCE,
        )

    def send(self, message: Message, *, version: int = 3, correlation_id: int = 0) -> None:
        self.writer.write(self.frame(message, version, correlation_id))

    async def answer(self) -> tuple[int, bytes]:
        """Correlation id and body of the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            size = framing.SIZE.unpack(await self.reader.readexactly(4))[0]
            whole = await self.reader.readexactly(size)
        return int.from_bytes(whole[:4], "big", signed=True), whole[4:]

    async def answers(self, count: int) -> list[int]:
        """The correlation ids of the next answers."""
        return [(await self.answer())[0] for _ in range(count)]

    async def ended(self) -> bool:
        """Whether the server closed the connection, with nothing left to read."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        self.writer.transport.abort()


class Server:
    """What a test may look at and turn."""

    def __init__(self, limits: Limits) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics()
        self.quotas = Quotas()
        self.logged = LogCapture()
        self.gates: dict[str, asyncio.Future[None]] = {}
        self.taken: list[int] = []
        self.clients: list[Client] = []
        self.contexts: list[tuple[str, str | None, Endpoint]] = []
        self.waits_cancelled = 0
        self.produced = ProduceResponse()
        self.fetched = FetchResponse()
        log = structlog.wrap_logger(None, processors=[self.logged])
        image = SimpleNamespace(cluster_id="the-cluster")
        broker = SimpleNamespace(node_id=1, metadata=SimpleNamespace(image=image))
        self.dispatcher = Dispatcher(
            with_api_versions(self.apis()),
            broker,
            self.metrics,
            log=log,
            clock=self.clock,
            quotas=self.quotas,
        )
        self.reception = Reception(self.dispatcher, limits)
        self.listener = Listener(self.reception)

    def apis(self) -> list[Api]:
        return [
            Api(
                key=0,
                name="Produce",
                versions=(0, 11),
                accepted_from=3,
                request=ProduceRequest,
                response=ProduceResponse,
                handle=self.produce,
                pipelined=True,
            ),
            Api(
                key=1,
                name="Fetch",
                versions=(4, 18),
                request=FetchRequest,
                response=FetchResponse,
                handle=lambda _context, _request: self.fetched,
            ),
            Api(
                key=11,
                name="JoinGroup",
                versions=(0, 9),
                request=JoinGroupRequest,
                response=JoinGroupResponse,
                handle=self.join_group,
                waits_on_purpose=True,
            ),
            Api(
                key=12,
                name="Heartbeat",
                versions=(0, 4),
                request=HeartbeatRequest,
                response=HeartbeatResponse,
                handle=self.heartbeat,
            ),
            Api(
                key=14,
                name="SyncGroup",
                versions=(0, 5),
                request=SyncGroupRequest,
                response=SyncGroupResponse,
                handle=self.sync_group,
            ),
        ]

    def gate(self, name: str) -> asyncio.Future[None]:
        """What the waiting requests of this name wait for."""
        if name not in self.gates:
            self.gates[name] = asyncio.get_running_loop().create_future()
        return self.gates[name]

    def open(self, name: str) -> None:
        self.gate(name).set_result(None)

    async def wait_for(self, name: str, response: Message) -> Message:
        try:
            await asyncio.shield(self.gate(name))
        except asyncio.CancelledError:
            self.waits_cancelled += 1
            raise
        return response

    def produce(
        self, _context: RequestContext, request: ProduceRequest
    ) -> ProduceResponse | Awaitable[Message] | None:
        """Waits for the gate that the transactional id names; acks=0 has no answer."""
        self.taken.append(request.timeout_ms)
        if request.acks == 0:
            if request.transactional_id == "failed":
                raise CloseConnection("acks=0 produce failed")
            return None
        if request.transactional_id is None:
            return self.produced
        return self.wait_for(request.transactional_id, ProduceResponse())

    async def join_group(self, context: RequestContext, request: JoinGroupRequest) -> Message:
        """Waits for the gate that the group's name is."""
        self.taken.append(request.session_timeout_ms)
        await self.wait_for(request.group_id, JoinGroupResponse())
        if request.group_id == "bug":
            raise RuntimeError("a bug after waiting")
        if request.group_id == "refused":
            raise ApiError(ErrorCode.NOT_COORDINATOR)
        return JoinGroupResponse(generation_id=context.version, member_id=request.member_id)

    def heartbeat(
        self, context: RequestContext, request: HeartbeatRequest
    ) -> HeartbeatResponse | None:
        """Answers at once, in a way that the group's name may choose."""
        self.taken.append(request.generation_id)
        match request.group_id:
            case "bug":
                raise RuntimeError("a bug")
            case "refused":
                raise ApiError(ErrorCode.GROUP_AUTHORIZATION_FAILED, "not yours")
            case "close":
                raise CloseConnection("told to")
            case "context":
                self.contexts.append((context.client_host, context.client_id, context.listener))
                return HeartbeatResponse()
            case _:
                return HeartbeatResponse(throttle_time_ms=request.generation_id)

    def sync_group(self, _context: RequestContext, request: SyncGroupRequest) -> SyncGroupResponse:
        """Answers with as many bytes as the generation says, or echoes the assignment it got."""
        self.taken.append(request.generation_id)
        if request.assignments:
            return SyncGroupResponse(assignment=bytes(request.assignments[0].assignment))
        return SyncGroupResponse(assignment=bytes(request.generation_id))

    async def connect(self, host: str = "127.0.0.1", **options: Any) -> Client:
        reader, writer = await asyncio.open_connection(host, self.listener.port, **options)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    def transport(self) -> asyncio.Transport:
        """The server's end of its only connection."""
        (connection,) = self.reception._connections
        assert isinstance(connection, Connection)
        return connection._transport

    def count(self, name: str) -> float:
        return self.metrics.snapshot().get(name, 0)


def join(group: str = "group", number: int = 0) -> JoinGroupRequest:
    return JoinGroupRequest(group_id=group, session_timeout_ms=number, member_id="member")


def beat(number: int = 0, group: str = "group") -> HeartbeatRequest:
    return HeartbeatRequest(group_id=group, generation_id=number, member_id="member")


def produce(
    number: int = 0, *, waits_for: str | None = None, acks: int = -1, records: bytes = b""
) -> ProduceRequest:
    partition = PartitionProduceData(index=0, records=records)
    return ProduceRequest(
        transactional_id=waits_for,
        acks=acks,
        timeout_ms=number,
        topic_data=[TopicProduceData(name="topic", partition_data=[partition])],
    )


def blob(size: int) -> SyncGroupRequest:
    return SyncGroupRequest(group_id="group", generation_id=size, member_id="member")
