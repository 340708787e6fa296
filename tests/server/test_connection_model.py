"""Whatever the requests, the cuts, the waits and the pauses: every answer, once, in order.

The socket is replaced by a transport that a property test can pause; everything else is real.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from godel.broker.context import Endpoint
from godel.protocol import frame as framing
from godel.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from godel.server.connection import Connection
from godel.server.limits import Limits
from godel.types import Piece, Unread
from tests.server.harness import Client, Server, beat, blob, join, produce


class Wire(asyncio.Transport):
    """Takes what is written; full from `capacity` unsent bytes on, until it is drained."""

    def __init__(self, protocol: Connection) -> None:
        super().__init__({"peername": ("10.0.0.1", 1234)})
        self.protocol = protocol
        self.capacity = 2**63
        self.sent = bytearray()
        self.unsent = bytearray()
        self.reading = True
        self.closing = False
        self.full = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert low is not None
        self.capacity = high or 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.unsent += data
        if not self.full and len(self.unsent) > self.capacity:
            self.full = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def drain(self) -> None:
        self.sent += self.unsent
        self.unsent.clear()
        if self.full:
            self.full = False
            self.protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True


@dataclass(frozen=True)
class Step:
    kind: str
    number: int = 0


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(
            [
                *("beat", "blob", "fetch", "join", "produce", "forget"),
                *("cut", "open", "open", "drain", "turn"),
            ]
        ),
        st.integers(0, 40),
    ),
    min_size=10,
    max_size=60,
)


STORED = bytes(range(200)) * 400


class FewAtOnce(Unread):
    """Takes many readings. Counts those that are neither read to their end nor closed."""

    def __init__(self, stored: Stored, content: bytes) -> None:
        self.stored = stored
        self.content = content
        stored.open.add(id(self))

    def __len__(self) -> int:
        return len(self.content)

    def read(self, most_bytes: int) -> bytes:
        data, self.content = self.content[:7_000], self.content[7_000:]
        assert 0 < len(data) <= most_bytes
        if not self.content:
            self.close()
        return data

    def close(self) -> None:
        self.stored.open.discard(id(self))

    __del__ = close


class Stored:
    """What each fetch of a server finds: `STORED`, in two files with bytes between."""

    def __init__(self, server: Server) -> None:
        self.open: set[int] = set()
        partition = PartitionData(partition_index=0, records=self)  # type: ignore[arg-type]  # read anew each time
        topic = FetchableTopicResponse(topic="t", partitions=[partition])
        server.fetched = FetchResponse(responses=[topic])

    def __iter__(self) -> Iterator[Piece]:
        yield FewAtOnce(self, STORED[:20_000])
        yield STORED[20_000:21_000]
        yield FewAtOnce(self, STORED[21_000:])


def request(step: Step, number: int) -> tuple[bytes, bool]:
    """The frame of a request and whether it has an answer."""
    match step.kind:
        case "beat":
            return Client.frame(beat(number), 3, number), True
        case "blob":
            return Client.frame(blob(step.number * 3_000), 3, number), True
        case "fetch":
            return Client.frame(FetchRequest(), 12, number), True
        case "join":
            return Client.frame(join(f"gate {step.number % 4}", number), 3, number), True
        case "produce":
            message = produce(number, waits_for=f"gate {step.number % 4}")
            return Client.frame(message, 3, number), True
        case _:
            return Client.frame(produce(number, acks=0), 3, number), False


def feed(connection: Connection, wire: Wire, data: bytearray) -> None:
    """Hand over bytes for as long as the connection reads."""
    while data and wire.reading and not wire.closing:
        buffer = connection.get_buffer(-1)
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        del data[:count]
        connection.buffer_updated(count)
        # The next connection that reads overwrites the shared buffer.
        buffer[:count] = b"\xee" * count


def correlation_ids(sent: bytearray) -> list[int]:
    """Of the answers, of which the last is not whole perhaps: -1."""
    ids = []
    at = 0
    while at < len(sent):
        size, correlation_id = framing.RESPONSE_HEAD.unpack_from(sent, at)
        at += 4 + size
        ids.append(correlation_id if at <= len(sent) else -1)
    return ids


async def play(script: list[Step]) -> None:
    limits = Limits(
        write_buffer_bytes=3_000,
        read_ahead_bytes=1_000,
        max_answers_waiting=5,
        queued_request_bytes=4_000,
    )
    server = Server(limits)
    stored = Stored(server)
    connection = Connection(server.reception, Endpoint("here", 9092))
    wire = Wire(connection)
    connection.connection_made(wire)
    pending = bytearray()
    expected: list[int] = []
    for number, step in enumerate(script):
        match step.kind:
            case "cut":
                head = bytearray(pending[: step.number * 3])
                del pending[: step.number * 3]
                feed(connection, wire, head)
                pending[:0] = head
            case "open":
                gate = server.gate(f"gate {step.number % 4}")
                if not gate.done():
                    gate.set_result(None)
                server.gates.pop(f"gate {step.number % 4}")
            case "drain":
                wire.drain()
            case "turn":
                feed(connection, wire, pending)
                for _ in range(step.number % 5):
                    await asyncio.sleep(0)
            case _:
                data, answered = request(step, number)
                pending += data
                expected += [number] if answered else []
    for _ in range(1_000):
        feed(connection, wire, pending)
        wire.drain()
        for name in list(server.gates):
            if not server.gates[name].done():
                server.gates[name].set_result(None)
        await asyncio.sleep(0)
        if not pending and correlation_ids(wire.sent) == expected:
            break
    assert correlation_ids(wire.sent) == expected
    assert wire.sent.count(STORED) == [step.kind for step in script].count("fetch")
    assert not stored.open
    assert server.metrics.request_memory_bytes.value == 0
    assert server.count("godel_requests_waiting") == 0
    assert server.count("godel_bugs_total") == 0
    assert not wire.closing
    connection.connection_lost(None)


@settings(max_examples=100)
@given(steps)
def test_every_answer_once_and_in_order(script: list[Step]) -> None:
    asyncio.run(play(script))


async def leave(script: list[Step]) -> None:
    """As above, but the peer vanishes in the middle: nothing may be held for it afterwards."""
    server = Server(Limits(write_buffer_bytes=3_000, queued_request_bytes=4_000))
    stored = Stored(server)
    connection = Connection(server.reception, Endpoint("here", 9092))
    wire = Wire(connection)
    connection.connection_made(wire)
    for number, step in enumerate(script):
        if step.kind not in ("cut", "open", "drain", "turn"):
            feed(connection, wire, bytearray(request(step, number)[0]))
    wire.closing = True
    connection.connection_lost(ConnectionResetError())
    for _ in range(5):
        await asyncio.sleep(0)
    assert server.metrics.request_memory_bytes.value == 0
    assert server.count("godel_requests_waiting") == 0
    assert server.metrics.connections.value == 0
    assert not stored.open


@settings(max_examples=30)
@given(steps)
def test_nothing_is_held_for_who_left(script: list[Step]) -> None:
    asyncio.run(leave(script))
