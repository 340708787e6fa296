"""A connection over real sockets: order, waiting, limits, ends."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from godel.protocol import codec
from godel.protocol import frame as framing
from godel.protocol.messages.join_group import JoinGroupResponse
from godel.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from godel.server.connection import KEPT_FRAME_BYTES
from tests.server.harness import PATIENCE_S, Client, Server, beat, blob, join, produce, until

pytestmark = pytest.mark.anyio

Serve = Callable[..., Awaitable[Server]]


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.writer.write(b"".join(Client.frame(beat(n), 3, n) for n in range(500)))
    assert await client.answers(500) == list(range(500))
    assert server.taken == list(range(500))


async def test_bytes_may_come_one_by_one(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    for byte in Client.frame(beat(1), 4, 1) + Client.frame(join("open"), 5, 2):
        received = server.metrics.bytes_received.value
        client.writer.write(bytes([byte]))
        await until(lambda seen=received: server.metrics.bytes_received.value > seen)
    server.open("open")
    assert await client.answers(2) == [1, 2]


async def test_a_waiting_request_holds_up_the_next_ones(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    other = await server.connect()
    client.send(join("gate"), correlation_id=1)
    for number in range(2, 6):
        client.send(beat(number), correlation_id=number)
    await until(lambda: server.count("godel_requests_waiting") == 1)
    other.send(beat(100), correlation_id=9)
    assert await other.answers(1) == [9]
    assert server.taken == [0, 100]
    server.open("gate")
    assert await client.answers(5) == [1, 2, 3, 4, 5]


async def test_waiting_requests_one_behind_the_other(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    for number in range(50):
        client.send(join(f"gate {number}", number), correlation_id=number)
    for number in range(50):
        await until(lambda expected=number: len(server.taken) == expected + 1)
        server.open(f"gate {number}")
    assert await client.answers(50) == list(range(50))


async def test_requests_whose_gate_is_open_do_not_recurse(serve: Serve) -> None:
    server = await serve(read_ahead_bytes=10**9)
    client = await server.connect()
    server.open("gate")
    client.writer.write(b"".join(Client.frame(join("gate"), 3, n) for n in range(3_000)))
    assert await client.answers(3_000) == list(range(3_000))


async def test_the_next_request_is_taken_while_a_pipelined_one_waits(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(produce(1, waits_for="first"), correlation_id=1)
    client.send(produce(2, waits_for="second"), correlation_id=2)
    client.send(produce(3, acks=0), correlation_id=3)
    client.send(beat(4), correlation_id=4)
    client.send(produce(5, waits_for="third"), correlation_id=5)
    await until(lambda: server.taken == [1, 2, 3, 4, 5])
    server.open("second")
    server.open("third")
    await asyncio.sleep(0)
    assert server.metrics.bytes_sent.value == 0
    server.open("first")
    assert await client.answers(4) == [1, 2, 4, 5]


async def test_a_waiting_request_behind_a_pipelined_one_still_holds_up_the_next(
    serve: Serve,
) -> None:
    server = await serve()
    client = await server.connect()
    client.send(produce(1, waits_for="produce"), correlation_id=1)
    client.send(join("join", 2), correlation_id=2)
    client.send(beat(3), correlation_id=3)
    await until(lambda: server.taken == [1, 2])
    server.open("produce")
    assert await client.answers(1) == [1]
    assert server.taken == [1, 2]
    server.open("join")
    assert await client.answers(2) == [2, 3]


async def test_a_waiting_answer_keeps_the_version_it_was_asked_in(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join("gate"), version=9, correlation_id=1)
    client.send(beat(1), version=0, correlation_id=2)
    await until(lambda: server.taken)
    server.open("gate")
    _, body = await client.answer()
    assert codec.decode(JoinGroupResponse, body[1:], 9).generation_id == 9
    assert await client.answers(1) == [2]


def assigning(content: bytes) -> SyncGroupRequest:
    """It is answered with the content."""
    return SyncGroupRequest(
        assignments=[SyncGroupRequestAssignment(member_id="a", assignment=content)]
    )


@pytest.mark.parametrize("size", [100, 70_000, 3_000_000])
async def test_large_requests_arrive_whole(serve: Serve, size: int) -> None:
    server = await serve()
    client = await server.connect()
    content = bytes(range(256)) * (size // 256)
    client.send(beat(1), correlation_id=1)
    client.send(assigning(content), correlation_id=2)
    client.send(beat(3), correlation_id=3)
    assert await client.answers(1) == [1]
    _, body = await client.answer()
    assert codec.decode(SyncGroupResponse, body, 3).assignment == content
    assert await client.answers(1) == [3]


async def test_kept_requests_survive_the_reuse_of_the_receive_buffer(serve: Serve) -> None:
    server = await serve()
    waiting, busy = await server.connect(), await server.connect()
    waiting.send(join("gate"), correlation_id=1)
    waiting.send(beat(42), correlation_id=2)
    await until(lambda: server.taken)
    for number in range(20):
        busy.send(beat(number, "x" * 1000), correlation_id=number)
        await busy.answers(1)
    server.open("gate")
    assert await waiting.answers(2) == [1, 2]
    assert server.taken[-1] == 42


async def test_a_large_request_that_is_kept_survives_those_of_others(serve: Serve) -> None:
    server = await serve()
    waiting, busy = await server.connect(), await server.connect()
    kept, other = b"kept" * 50_000, b"else" * 50_000
    waiting.send(join("gate"), correlation_id=1)
    waiting.send(assigning(kept), correlation_id=2)
    await until(lambda: server.metrics.request_memory_bytes.value > len(kept))
    for number in range(5):
        busy.send(assigning(other), correlation_id=number)
        await busy.answers(1)
    server.open("gate")
    assert await waiting.answers(1) == [1]
    _, body = await waiting.answer()
    assert codec.decode(SyncGroupResponse, body, 3).assignment == kept


@pytest.mark.slow
async def test_reading_stops_while_too_much_is_kept(serve: Serve) -> None:
    server = await serve(read_ahead_bytes=10 * KEPT_FRAME_BYTES)
    client = await server.connect()
    client.send(join("gate"), correlation_id=0)
    await until(lambda: server.taken)
    frames = b"".join(Client.frame(beat(n, "x" * 100), 3, n) for n in range(1, 40_001))
    client.writer.write(frames)
    await until(lambda: server.count("godel_reading_paused_total{cause=read_ahead}"))
    assert server.metrics.bytes_received.value < len(frames) / 2
    server.open("gate")
    assert await client.answers(40_001) == list(range(40_001))


async def test_the_line_of_pipelined_answers_is_bounded(serve: Serve) -> None:
    server = await serve(max_answers_waiting=10)
    client = await server.connect()
    for number in range(25):
        client.send(produce(number, waits_for="gate"), correlation_id=number)
    await until(lambda: server.metrics.request_memory_bytes.value > 15 * KEPT_FRAME_BYTES)
    assert server.count("godel_requests_waiting") == 10
    server.open("gate")
    assert await client.answers(25) == list(range(25))


async def test_large_answers_behind_a_waiting_one_are_bounded(serve: Serve) -> None:
    server = await serve(write_buffer_bytes=100_000)
    client = await server.connect()
    client.send(produce(0, waits_for="gate"), correlation_id=0)
    for number in range(1, 20):
        client.send(blob(60_000), correlation_id=number)
    await until(lambda: len(server.taken) == 3 and server.metrics.request_memory_bytes.value)
    server.open("gate")
    assert await client.answers(20) == list(range(20))


async def test_a_peer_that_reads_late_is_served_no_further_until_then(serve: Serve) -> None:
    server = await serve(write_buffer_bytes=100_000)
    client = await server.connect(limit=1000)
    client.writer.write(b"".join(Client.frame(blob(8_000_000), 3, n) for n in range(4)))
    await until(lambda: server.taken)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(server.taken) < 3
    assert await client.answers(4) == [0, 1, 2, 3]


async def test_a_peer_that_does_not_read_is_dropped(serve: Serve) -> None:
    server = await serve(max_stalled_ms=1_000, max_idle_ms=50_000)
    client = await server.connect(limit=1000)
    client.send(blob(16_000_000))
    await until(lambda: server.metrics.bytes_sent.value)
    for _ in range(200):
        await asyncio.sleep(0)
    for _ in range(12):
        server.clock.advance(100)
    await until(lambda: server.metrics.connections_closed.of("slow_reader").value)


async def test_a_slow_peer_that_makes_progress_stays(serve: Serve) -> None:
    server = await serve(max_stalled_ms=1_000, max_idle_ms=5_000)
    client = await server.connect(limit=1000)
    client.send(blob(16_000_000), correlation_id=7)
    await until(lambda: server.metrics.bytes_sent.value)
    transport = server.transport()
    received = 0
    async with asyncio.timeout(PATIENCE_S):
        while received < 16_000_000:
            unsent = transport.get_write_buffer_size()
            while received < 16_000_000 and transport.get_write_buffer_size() >= unsent > 0:
                received += len(await client.reader.readexactly(50_000))
            server.clock.advance(900)
            if not unsent:
                break
    assert server.metrics.connections.value == 1


async def test_an_idle_connection_is_closed(serve: Serve) -> None:
    server = await serve(max_idle_ms=10_000)
    idle, busy = await server.connect(), await server.connect()
    for number in range(12):
        busy.send(beat(number), correlation_id=number)
        await busy.answers(1)
        server.clock.advance(1_000)
    assert await idle.ended()
    busy.send(beat(99), correlation_id=99)
    assert await busy.answers(1) == [99]
    assert server.metrics.connections_closed.of("idle").value == 1


@pytest.mark.slow
async def test_a_negative_limit_lets_connections_be_idle_for_ever(serve: Serve) -> None:
    server = await serve(max_idle_ms=-1)
    client = await server.connect()
    client.send(beat(1), correlation_id=1)
    await client.answers(1)
    for _ in range(100):
        server.clock.advance(10_000_000)
    client.send(beat(2), correlation_id=2)
    assert await client.answers(1) == [2]


async def test_a_connection_whose_request_waits_is_not_idle(serve: Serve) -> None:
    server = await serve(max_idle_ms=1_000)
    client = await server.connect()
    client.send(join("gate"), correlation_id=1)
    await until(lambda: server.taken)
    for _ in range(50):
        server.clock.advance(100)
    server.open("gate")
    assert await client.answers(1) == [1]


async def test_half_a_request_does_not_keep_a_connection_from_being_idle(serve: Serve) -> None:
    server = await serve(max_idle_ms=1_000)
    client = await server.connect()
    client.writer.write(b"\0\0\0\x20half")
    await until(lambda: server.metrics.bytes_received.value)
    for _ in range(25):
        server.clock.advance(100)
    assert await client.ended()


@pytest.mark.parametrize("size", [-1, 1_001, 2**31 - 1, -(2**31)])
async def test_a_size_out_of_bounds_closes_after_the_answers_before(
    serve: Serve, size: int
) -> None:
    server = await serve(max_request_bytes=1_000)
    client = await server.connect()
    client.writer.write(Client.frame(beat(1), 3, 1) + struct.pack(">i", size) + bytes(50))
    assert await client.answers(1) == [1]
    assert await client.ended()
    assert server.count("godel_frames_oversized_total") == 1
    assert server.metrics.connections_closed.of("oversized_request").value == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(1200),
        framing.SIZE.pack(0),
        framing.SIZE.pack(3) + b"abc",
        framing.SIZE.pack(9) + bytes(9),
        framing.request_frame(999, 0, b""),
        framing.request_frame(12, 99, b""),
        framing.request_frame(12, -1, b""),
        framing.request_frame(0, 2, b""),
        framing.request_frame(12, 4, b"", client="x" * 10),
        framing.request_frame(12, 3, b"\xff" * 30),
        framing.request_frame(12, 4, b"\xff" * 30, flexible=True),
    ],
)
async def test_what_is_no_request_closes_the_connection(serve: Serve, garbage: bytes) -> None:
    server = await serve(max_request_bytes=10_000)
    client = await server.connect()
    client.writer.write(Client.frame(beat(1), 3, 1) + garbage + Client.frame(beat(2), 3, 2))
    assert await client.answers(1) == [1]
    assert await client.ended()
    assert server.taken == [1]
    assert len(server.logged.entries) == 1
    assert server.logged.entries[0]["event"] == "connection_ended"
    assert server.count("godel_bugs_total") == 0


async def test_garbage_behind_a_waiting_request_closes_after_its_answer(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(produce(1, waits_for="gate"), correlation_id=1)
    client.writer.write(framing.request_frame(999, 0, b""))
    client.send(beat(2), correlation_id=2)
    await until(lambda: server.logged.entries)
    server.open("gate")
    assert await client.answers(1) == [1]
    assert await client.ended()
    assert server.taken == [1]


async def test_a_failed_produce_without_answer_closes_the_connection(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(produce(1, acks=0))
    client.send(produce(2, acks=0, waits_for="failed"))
    client.send(produce(3, acks=0))
    assert await client.ended()
    assert server.taken == [1, 2]


async def test_a_peer_that_leaves_cancels_what_waits_for_it(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(produce(1, waits_for="one"), correlation_id=1)
    client.send(join("two"), correlation_id=2)
    client.send(beat(3), correlation_id=3)
    await until(lambda: len(server.taken) == 2)
    client.close()
    await until(lambda: server.waits_cancelled == 2)
    assert server.metrics.connections.value == 0
    assert server.metrics.connections_closed.of("closed_by_peer").value == 1


async def test_a_peer_that_closes_its_half_is_let_go(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(beat(1), correlation_id=1)
    client.send(join("gate"), correlation_id=2)
    client.writer.write_eof()
    assert await client.answers(1) == [1]
    assert await client.ended()
    await until(lambda: server.waits_cancelled == 1)


async def test_large_requests_above_the_memory_of_all_wait(serve: Serve) -> None:
    """What is only announced stops other large requests, not the small ones."""
    server = await serve(queued_request_bytes=200_000, max_idle_ms=1_000)
    holder, other, third = [await server.connect() for _ in range(3)]
    holder.writer.write(struct.pack(">i", 300_000) + bytes(100))
    await until(lambda: server.metrics.request_memory_bytes.value == 300_000)
    large = SyncGroupRequest(
        assignments=[SyncGroupRequestAssignment(member_id="a", assignment=bytes(500_000))]
    )
    third.send(large, correlation_id=3)
    await until(lambda: server.count("godel_reading_paused_total{cause=memory}") == 1)
    for number in range(3):
        other.send(beat(number), correlation_id=number)
        assert await other.answers(1) == [number]
    assert server.metrics.request_memory_bytes.value == 300_000
    holder.close()
    assert await third.answers(1) == [3]
    await until(lambda: server.metrics.request_memory_bytes.value == 0)


async def test_with_all_memory_in_use_small_requests_wait_too(serve: Serve) -> None:
    server = await serve(queued_request_bytes=200_000)
    holder, other = await server.connect(), await server.connect()
    holder.send(produce(waits_for="gate", records=bytes(300_000)), correlation_id=1)
    await until(lambda: server.taken)
    other.send(beat(1), correlation_id=1)
    assert await other.answers(1) == [1]
    await until(lambda: server.count("godel_reading_paused_total{cause=memory}") == 2)
    other.send(beat(2), correlation_id=2)
    server.open("gate")
    assert await holder.answers(1) == [1]
    assert await other.answers(1) == [2]


async def test_who_stops_in_a_large_request_that_keeps_others_out_is_dropped(serve: Serve) -> None:
    server = await serve(queued_request_bytes=200_000, max_stalled_ms=1_000, max_idle_ms=50_000)
    holder, third = await server.connect(), await server.connect()
    holder.writer.write(struct.pack(">i", 300_000) + bytes(100))
    await until(lambda: server.metrics.request_memory_bytes.value == 300_000)
    large = SyncGroupRequest(
        assignments=[SyncGroupRequestAssignment(member_id="a", assignment=bytes(500_000))]
    )
    third.send(large, correlation_id=3)
    await until(lambda: server.count("godel_reading_paused_total{cause=memory}") == 1)
    for _ in range(12):
        server.clock.advance(100)
    assert await third.answers(1) == [3]
    await until(lambda: server.metrics.connections_closed.of("stalled_request").value)


async def test_one_that_waits_for_memory_may_leave(serve: Serve) -> None:
    server = await serve(queued_request_bytes=100_000)
    holder, other = await server.connect(), await server.connect()
    holder.writer.write(struct.pack(">i", 300_000) + bytes(100))
    await until(lambda: server.metrics.request_memory_bytes.value == 300_000)
    other.send(beat(1), correlation_id=1)
    assert await other.answers(1) == [1]
    other.writer.write(struct.pack(">i", 300_000) + bytes(100))
    await until(lambda: server.count("godel_reading_paused_total{cause=memory}") == 1)
    # Unread bytes and an abort make the reset that even a connection which does not read notices.
    other.close()
    holder.close()
    await until(lambda: server.metrics.connections.value == 0)


async def test_answers_leave_without_delay(serve: Serve) -> None:
    server = await serve()
    client = await server.connect()
    client.send(join("gate"))
    await until(lambda: server.taken)
    accepted = server.transport().get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
