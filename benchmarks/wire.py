"""A member of a group on a socket of its own, on our codec: a thousand of them in one process."""

from __future__ import annotations

import socket
import struct
import time
from typing import TypeVar

from godel.errors import ErrorCode
from godel.protocol import codec
from godel.protocol.frame import request_frame
from godel.protocol.message import Message
from godel.protocol.messages.api_versions import ApiVersionsRequest
from godel.protocol.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from godel.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

R = TypeVar("R", bound=Message)

TIMEOUT_S = 30
RETRY_S = 0.1
JOIN_VERSION = 3
"""The last in which Kafka lets a member join without an id."""
VERSION = 2
HEARTBEAT_ANSWER_BYTES = 14
SESSION_MS = 60_000


def connect(host: str, port: int) -> socket.socket:
    """A connection that has asked for ApiVersions, as every client does."""
    connection = socket.create_connection((host, port), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(framed(ApiVersionsRequest(), 0))
    take_body(connection)
    return connection


def take_body(connection: socket.socket) -> memoryview:
    """Of the next answer."""
    (size,) = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))
    return memoryview(connection.recv(size, socket.MSG_WAITALL))[4:]


def framed(request: Message, version: int) -> bytes:
    return request_frame(
        request.API_KEY, version, codec.encode(request, version), client="benchmark"
    )


class Member:
    """The only one of its group."""

    def __init__(self, connection: socket.socket, group: str) -> None:
        self.socket = connection
        self._group = group
        self._heartbeat = b""
        self._missing = 0
        """Bytes of answers to heartbeats that have not come."""

    def join(self) -> None:
        """Raises SystemExit when the broker does not let it."""
        self._ask(FindCoordinatorRequest(key=self._group), FindCoordinatorResponse, VERSION)
        joined = self._ask(self._join(""), JoinGroupResponse, JOIN_VERSION)
        if joined.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            joined = self._ask(self._join(joined.member_id), JoinGroupResponse, JOIN_VERSION)
        mine = {
            "group_id": self._group,
            "generation_id": joined.generation_id,
            "member_id": joined.member_id,
        }
        assignment = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"")
        sync = SyncGroupRequest(**mine, assignments=[assignment])
        self._ask(sync, SyncGroupResponse, VERSION)
        self._heartbeat = framed(HeartbeatRequest(**mine), VERSION)

    def _join(self, member_id: str) -> JoinGroupRequest:
        return JoinGroupRequest(
            group_id=self._group,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=SESSION_MS,
            member_id=member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
        )

    def send_heartbeat(self) -> None:
        self.socket.sendall(self._heartbeat)
        self._missing += HEARTBEAT_ANSWER_BYTES

    def take_heartbeat(self) -> None:
        """What has come of the answers."""
        self._missing -= len(self.socket.recv(4096))

    def take_heartbeats(self) -> None:
        while self._missing:
            self.take_heartbeat()

    def _ask(self, request: Message, response: type[R], version: int) -> R:
        """The answer, for which it asks until there is one or the time is over."""
        ends = time.monotonic() + TIMEOUT_S
        while True:
            self.socket.sendall(framed(request, version))
            answer = codec.decode(response, take_body(self.socket), version)
            error = answer.error_code  # type: ignore[attr-defined]  # all of these have one
            if error in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
                return answer
            if time.monotonic() > ends:
                raise SystemExit(f"{type(request).__name__} of {self._group}: error {error}")
            time.sleep(RETRY_S)
