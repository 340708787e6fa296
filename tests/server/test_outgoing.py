"""Answers of which a part lies in files: it is read as the peer takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from godel.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from godel.server.outgoing import READ_BYTES, Outgoing
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.storage.unread import UnreadRange
from tests.server.harness import Client, Server, beat, until

pytestmark = pytest.mark.anyio

Serve = Callable[..., Awaitable[Server]]
SIZE = 24_000_000
"""More than the buffers of sockets hold."""
VERSION = 12


class Stored:
    """A file that every fetch of a server is answered with, as two ranges with bytes between."""

    def __init__(self, server: Server) -> None:
        self.files = FaultyFiles()
        self.content = bytes(range(250)) * (SIZE // 250)
        file = self.files.open("file", 0)
        file.append((self.content,), SIZE)
        half = SIZE // 2
        self.ranges = [UnreadRange(file, 0, half), UnreadRange(file, half, half)]
        pieces = [self.ranges[0], b"between", self.ranges[1]]
        server.fetched = FetchResponse(
            responses=[
                FetchableTopicResponse(
                    topic="t", partitions=[PartitionData(partition_index=0, records=pieces)]
                )
            ]
        )

    @property
    def unread_bytes(self) -> int:
        return sum(map(len, self.ranges))

    def is_in(self, answer: bytes) -> bool:
        half = SIZE // 2
        return self.content[:half] + b"between" + self.content[half:] in answer


async def fetching(server: Server) -> tuple[Stored, Client]:
    """Until no more is written to the peer, which does not read."""
    stored = Stored(server)
    client = await server.connect(limit=1000)
    client.send(FetchRequest(), version=VERSION, correlation_id=1)
    client.send(beat(2), correlation_id=2)
    await until(lambda: server.metrics.bytes_sent.value)
    for _ in range(200):
        await asyncio.sleep(0)
    return stored, client


async def test_what_a_peer_does_not_take_is_not_read(serve: Serve) -> None:
    server = await serve()
    stored, client = await fetching(server)
    assert stored.unread_bytes > 0
    assert 0 < server.reception.unsent.total_bytes < 2 * READ_BYTES
    assert server.taken == []
    number, answer = await client.answer()
    assert number == 1
    assert stored.is_in(answer)
    assert stored.unread_bytes == 0
    assert await client.answers(1) == [2]
    assert server.reception.unsent.total_bytes == 0


class TakesAll(asyncio.Transport):
    """The transport of a peer that is faster than the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.taken_bytes += len(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class Sender(asyncio.Protocol):
    def __init__(self, transport: asyncio.Transport) -> None:
        self.outgoing = Outgoing(transport, self)

    def pause_writing(self) -> None:
        self.outgoing.is_full = True

    def resume_writing(self) -> None:
        self.outgoing.is_full = False
        self.outgoing.go_on()


async def test_others_have_their_turn_after_each_piece_for_a_fast_peer() -> None:
    transport = TakesAll()
    outgoing = Sender(transport).outgoing
    file = FaultyFiles().open("file", 0)
    size = 2 * READ_BYTES + 1
    file.append((bytes(size),), size)
    outgoing.write([b"before", UnreadRange(file, 0, size), b"behind"], size + 12)
    for pieces in (1, 2):
        assert transport.taken_bytes == len(b"before") + pieces * READ_BYTES
        await asyncio.sleep(0)
    await until(lambda: outgoing.is_sent)
    assert transport.taken_bytes == size + 12
    await asyncio.sleep(0)
    assert not outgoing.is_full


async def test_a_connection_that_is_to_end_sends_all_of_it_first(serve: Serve) -> None:
    server = await serve()
    stored, client = await fetching(server)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.reception.close())
        _, answer = await client.answer()
        assert stored.is_in(answer)
        assert await client.ended()


async def test_an_answer_that_cannot_be_read_on_ends_its_connection_only(serve: Serve) -> None:
    server = await serve()
    stored, client = await fetching(server)
    other = await server.connect()
    stored.files.fail(lambda operation: operation.kind is Kind.READ)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.answer()
    await until(lambda: server.metrics.connections_closed.of("read_failed").value == 1)
    assert server.logged.entries[-1]["event"] == "answer_broken_off"
    other.send(beat(1), correlation_id=1)
    assert await other.answers(1) == [1]
    assert server.reception.unsent.total_bytes == 0


async def test_a_peer_that_goes_away_leaves_nothing_behind(serve: Serve) -> None:
    server = await serve()
    stored, client = await fetching(server)
    client.close()
    await until(lambda: server.metrics.connections.value == 0)
    assert stored.unread_bytes > 0
    assert all(unread.read(1) == b"" for unread in stored.ranges)


async def test_a_peer_that_takes_nothing_is_dropped(serve: Serve) -> None:
    server = await serve(max_stalled_ms=1_000, max_idle_ms=50_000)
    await fetching(server)
    for _ in range(12):
        server.clock.advance(100)
    await until(lambda: server.metrics.connections_closed.of("slow_reader").value)
