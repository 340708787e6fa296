"""What counting and timing requests costs, against what a request costs anyhow.

    python benchmarks/metrics.py [--rounds 60] [--seconds 0.1]

One broker on a disk (cached) and two ways into it: the real dispatcher, and one that neither counts
requests nor notes their times nor looks for error codes. A client of its own process sends the same
small Produce (acks=1) or Fetch, one or five at a time, to one and the other in turn, in many short
rounds. Counted is the processor time of the broker's thread, system calls included. The ratio is
the median of the rounds' ratios; the last column has it for requests that enter behind the sockets,
more than any broker pays. At the end, what an answer to Prometheus takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import cast

from connection import ask, client

from godel.broker.context import Endpoint
from godel.clock import SystemClock
from godel.handlers import APIS
from godel.protocol import codec
from godel.protocol.frame import request_frame
from godel.protocol.message import Message
from godel.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from godel.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from godel.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from godel.records.builder import NewRecord, build_batch
from godel.server import dispatch
from godel.server.connection import Connection
from godel.server.dispatch import Dispatcher
from godel.server.exposition import expose
from godel.server.limits import Limits
from godel.server.listener import Listener
from godel.server.node import Node
from godel.server.reception import Reception
from godel.testing import Broker

TOPIC = "measured"
BUDGET = 1.03
COUNTING = (
    """
        ended_s = self._now_s()
        local_s = ended_s - context.began_s
        context.began_s = ended_s
        if context.queue_s or local_s >= self.slow.closer_look_s:
            self._look_closer(route, context, local_s, len(frame))
        else:
            stages = route.stages
            stages.quick += 1
            stages.quick_s += local_s
""",
    """
        if route.visit_errors is not None:
            route.visit_errors(answer, route.count_error)
""",
)
"""What the dispatcher does for the sake of metrics."""


def uncounted() -> type[Dispatcher]:
    """A dispatcher that does for a request only what its client sees.

    A copy of the module, so that each has bytecode of its own: the interpreter fits it to the
    classes that it meets there, and two that share it make each other slow.
    """
    source = Path(dispatch.__file__).read_text()
    for lines in COUNTING:
        assert source.count(lines) == 1, f"it counts in another way now, without {lines!r}"
        source = source.replace(lines, "\n")
    module = ModuleType(dispatch.__name__)
    exec(compile(source, dispatch.__file__, "exec"), vars(module))
    return cast("type[Dispatcher]", module.Dispatcher)


class Peer:
    """Stands in for the transport of a connection: takes answers and drops them."""

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.answered = data


def reception(node: Node, kind: type[Dispatcher]) -> Reception:
    broker = node.broker
    dispatcher = kind(
        APIS, broker, broker.metrics, log=broker.log, clock=broker.clock, quotas=broker.quotas
    )
    made = Reception(dispatcher, Limits())
    if kind is not Dispatcher:
        made.elapsed_s = float  # when a request arrived is asked for its times only
    return made


def connection(node: Node, kind: type[Dispatcher]) -> Connection:
    connected = Connection(reception(node, kind), Endpoint("127.0.0.1", 1))
    connected.connection_made(Peer())  # type: ignore[arg-type]  # all that a connection calls
    return connected


def feed(connected: Connection, frame: bytes) -> None:
    connected.get_buffer(len(frame))[: len(frame)] = frame
    connected.buffer_updated(len(frame))


def size_of_answer(node: Node, frame: bytes) -> int:
    connected = connection(node, Dispatcher)
    feed(connected, frame)
    return len(connected._transport.answered)  # type: ignore[attr-defined]  # a Peer


def time_us(connected: Connection, frame: bytes, count: int) -> float:
    """Processor time of a request."""
    began = time.thread_time()
    for _ in range(count):
        feed(connected, frame)
    return (time.thread_time() - began) / count * 1e6


def frames() -> dict[str, bytes]:
    records = build_batch([NewRecord(None, bytes(100))], timestamp_ms=1)
    produce = ProduceRequest(
        acks=1,
        timeout_ms=1000,
        topic_data=[TopicProduceData(TOPIC, [PartitionProduceData(0, records)])],
    )
    wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    fetch = FetchRequest(max_bytes=1000, topics=[FetchTopic(topic=TOPIC, partitions=[wanted])])
    return {"Produce, 100 B": framed(produce, 11), "Fetch, 100 B": framed(fetch, 12)}


def framed(request: Message, version: int) -> bytes:
    return request_frame(
        request.API_KEY,
        version,
        codec.encode(request, version),
        client="benchmark",
        flexible=version >= request.FLEXIBLE_SINCE,
    )


def without_sockets(node: Node, frame: bytes, rounds: int) -> float:
    """The ratio where requests enter as the event loop hands them over."""
    bare, counted = connection(node, uncounted()), connection(node, Dispatcher)
    times = [(time_us(bare, frame, 500), time_us(counted, frame, 500)) for _ in range(rounds)]
    return statistics.median(with_metrics / without for without, with_metrics in times)


async def with_sockets(
    node: Node,
    pipe: Pipe,
    ports: list[int],
    frame: bytes,
    depth: int,
    rounds: int,
    seconds: float,
) -> dict[int, list[float]]:
    """The processor time of a request, by port and round."""
    times: dict[int, list[float]] = {port: [] for port in ports}
    answer_bytes = size_of_answer(node, frame)
    for number in range(rounds):
        for port in ports if number % 2 else reversed(ports):
            began = time.thread_time()
            count = await ask(pipe, "drive", port, frame, answer_bytes, depth, seconds)
            times[port].append((time.thread_time() - began) / count * 1e6)
    return times


async def measure(node: Node, pipe: Pipe, rounds: int, seconds: float) -> None:
    ports = []
    for kind in (uncounted(), Dispatcher):
        listener = Listener(reception(node, kind))
        await listener.bind("127.0.0.1", 0)
        await listener.start()
        ports.append(listener.port)
    print(f"{'':28}{'us without':>12}{'us with':>9}{'ratio':>8}{'behind':>8}  budget {BUDGET}")
    for name, frame in frames().items():
        floor = without_sockets(node, frame, rounds)
        for depth in (1, 5):
            times = await with_sockets(node, pipe, ports, frame, depth, rounds, seconds)
            bare, counted = (statistics.median(times[port]) for port in ports)
            ratio = statistics.median(b / a for a, b in zip(*times.values(), strict=True))
            shown = f"{name}, {depth} at a time"
            behind = f"{floor:>8.3f}" if depth == 1 else ""
            print(f"{shown:28}{bare:>12.2f}{counted:>9.2f}{ratio:>8.3f}{behind}")
    await measure_exposition(node)


async def measure_exposition(node: Node) -> None:
    clock = SystemClock()
    await expose(node.broker.metrics, clock, node.broker.log)
    began = time.perf_counter()
    answer = await expose(node.broker.metrics, clock, node.broker.log)
    took_ms = (time.perf_counter() - began) * 1000
    print(f"an answer to Prometheus: {took_ms:.1f} ms, {len(answer)} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.1)
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    driver = spawn.Process(target=client, args=(theirs,), daemon=True)
    driver.start()
    with TemporaryDirectory() as data, Broker(data=data) as broker:
        topic = CreatableTopic(TOPIC, num_partitions=1, replication_factor=1)
        create = framed(CreateTopicsRequest(topics=[topic]), 7)
        broker.run(lambda node: feed(connection(node, Dispatcher), create))
        while not broker.run(lambda node: TOPIC in node.broker.metadata.image.topics):
            pass
        broker.run(lambda node: measure(node, ours, arguments.rounds, arguments.seconds))
    ours.send(None)
    driver.join()


if __name__ == "__main__":
    main()
