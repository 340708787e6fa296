"""What a small request costs before and after its handler: connection, frames, dispatch, codec.

    python benchmarks/connection.py [--seconds 2] [--connections 2000]

Serves a handler that does nothing (Heartbeat v3) on the real server, and beside it, in the same
process and run, a bare protocol that sends back what it receives. A client process of its own
drives both: one request at a time, and a hundred at a time. CPU is that of the server process.
At the end, the memory that an idle connection costs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection as Pipe
from types import SimpleNamespace

import psutil
import structlog
import uvloop

from godel.clock import SystemClock
from godel.metrics import Metrics
from godel.protocol import codec
from godel.protocol.api import Api
from godel.protocol.frame import request_frame
from godel.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from godel.security.quotas import Quotas
from godel.server.dispatch import Dispatcher
from godel.server.limits import Limits
from godel.server.listener import Listener
from godel.server.reception import Reception

VERSION = 3
REQUEST = HeartbeatRequest(group_id="group", generation_id=1, member_id="member-0123456789")
FRAME = request_frame(12, VERSION, codec.encode(REQUEST, VERSION), client="benchmark")
ANSWER_BYTES = 14
WAITING_FRAME = request_frame(
    14,
    VERSION,
    codec.encode(SyncGroupRequest(group_id="group", member_id="member-0123456789"), VERSION),
    client="benchmark",
)
WAITING_ANSWER_BYTES = 18


class Echo(asyncio.Protocol):
    """The floor: what the event loop and the system calls cost alone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]  # a Transport


async def wait_a_turn() -> SyncGroupResponse:
    """As short as a wait can be: an answer in the next turn of the loop."""
    await asyncio.sleep(0)
    return SyncGroupResponse()


def drive(port: int, frame: bytes, answer_bytes: int, depth: int, seconds: float) -> int:
    """Send `depth` requests, read their answers, again and again; how many were answered."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        batch = frame * depth
        buffer = bytearray(1 << 20)
        rounds = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            peer.sendall(batch)
            missing = answer_bytes * depth
            while missing:
                missing -= peer.recv_into(buffer, missing)
            rounds += 1
        return rounds * depth


def client(pipe: Pipe) -> None:
    """The driving process: takes jobs, reports counts."""
    idle: list[socket.socket] = []
    while True:
        job = pipe.recv()
        if job is None:
            return
        if job[0] == "idle":
            idle += [socket.create_connection(("127.0.0.1", job[1])) for _ in range(job[2])]
            pipe.send(len(idle))
        else:
            pipe.send(drive(*job[1:]))


async def ask(pipe: Pipe, *job: object) -> int:
    pipe.send(job)
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(pipe.fileno(), arrived.set)
    await arrived.wait()
    loop.remove_reader(pipe.fileno())
    count: int = pipe.recv()
    return count


async def run(pipe: Pipe, seconds: float, connections: int) -> None:
    loop = asyncio.get_running_loop()
    heartbeat = Api(
        key=12,
        name="Heartbeat",
        versions=(0, 4),
        request=HeartbeatRequest,
        response=HeartbeatResponse,
        handle=lambda _context, _request: HeartbeatResponse(),
    )
    waiting = Api(
        key=14,
        name="SyncGroup",
        versions=(0, 5),
        request=SyncGroupRequest,
        response=SyncGroupResponse,
        handle=lambda _context, _request: wait_a_turn(),
        pipelined=True,
    )
    dispatcher = Dispatcher(
        [heartbeat, waiting],
        SimpleNamespace(),
        Metrics(),
        log=structlog.get_logger(),
        clock=SystemClock(),
        quotas=Quotas(),
    )
    reception = Reception(dispatcher, Limits())
    listener = Listener(reception)
    await listener.bind("127.0.0.1", 0)
    await listener.start(backlog=1024)
    bare = await loop.create_server(Echo, "127.0.0.1", 0)
    bare_port = bare.sockets[0].getsockname()[1]
    print(f"{'':30}{'frames/s':>10}{'CPU us/frame':>14}")
    for depth in (1, 100):
        for name, port, frame, size in (
            ("bare echo", bare_port, FRAME, len(FRAME)),
            ("godel", listener.port, FRAME, ANSWER_BYTES),
            ("godel, waiting", listener.port, WAITING_FRAME, WAITING_ANSWER_BYTES),
        ):
            await ask(pipe, "drive", port, frame, size, depth, seconds / 10)
            cpu, wall = time.process_time(), time.perf_counter()
            count = await ask(pipe, "drive", port, frame, size, depth, seconds)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            label = f"{name}, {depth} at a time"
            print(f"{label:30}{count / wall:>10.0f}{cpu / count * 1e6:>14.2f}")
    time_codec()
    gc.collect()
    before = psutil.Process().memory_info().rss
    await ask(pipe, "idle", listener.port, connections)
    while len(reception._connections) < connections:  # noqa: ASYNC110  # not for production
        await asyncio.sleep(0)
    gc.collect()
    after = psutil.Process().memory_info().rss
    print(f"{connections} idle connections: {(after - before) / connections / 1024:.1f} KiB each")


def time_codec() -> None:
    """What of a request is decoding and encoding, outside of connection and dispatch."""
    decode = codec.decoder(HeartbeatRequest, VERSION)
    encode = codec.encoder(HeartbeatResponse, VERSION)
    body = memoryview(codec.encode(REQUEST, VERSION))
    repeat = 100_000
    start = time.process_time()
    for _ in range(repeat):
        decode(body, 0)
        encode(HeartbeatResponse(), bytearray(8))
    took_us = (time.process_time() - start) / repeat * 1e6
    print(f"{'codec and handler alone':30}{'':>10}{took_us:>14.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=2000)
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=client, args=(theirs,), daemon=True)
    process.start()
    uvloop.run(run(ours, arguments.seconds, arguments.connections))
    ours.send(None)
    process.join()


if __name__ == "__main__":
    main()
