"""Thousands that are connected: idle connections, and groups whose members send heartbeats."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from brokers import HOST
from figures import Row
from measurement import Measurement
from wire import Member, connect

IDLE = (2_000, 9_000)
"""A process has 20,000 descriptors on most machines, Kafka needs some of its own."""
GROUPS = 1_000
HEARTBEAT_S = 3.0
SECONDS = 10.0

ROWS = [
    *(Row(f"{count:,} idle connections, each", "KiB", budget=12) for count in IDLE),
    *(Row(f"ack beside {count:,} idle connections, p99", "ms") for count in IDLE),
    Row(f"{GROUPS:,} groups with heartbeats every {HEARTBEAT_S:.0f} s", "% CPU"),
    Row(f"{GROUPS:,} groups, CPU of a heartbeat", "µs"),
    Row(f"ack beside {GROUPS:,} groups, p99", "ms"),
]


def take(bench: Measurement) -> None:
    allow_descriptors()
    bench.create_topics({"ack": 1})
    bench.load("latency", "ack", bench.scaled(2_000))
    for count in IDLE:
        idle_connections(bench, count)
    groups(bench)


def allow_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def idle_connections(bench: Measurement, count: int) -> None:
    before = bench.broker.memory_mib()
    with connected(bench.broker.port, count):
        grown_kib = (bench.broker.memory_mib() - before) * 1024
        bench.figures[f"{count:,} idle connections, each"] = grown_kib / count
        report, _ = bench.load("latency", "ack", bench.scaled(3_000))
        bench.figures[f"ack beside {count:,} idle connections, p99"] = report["p99_ms"]


@contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    sockets = [connect(HOST, port) for _ in range(count)]
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


def groups(bench: Measurement) -> None:
    """One member in each; heartbeats spread over their interval."""
    with connected(bench.broker.port, GROUPS) as sockets:
        members = [Member(each, f"group-{number}") for number, each in enumerate(sockets)]
        for member in members:
            member.join()
        before, started = bench.broker.cpu_s(), time.monotonic()
        sent = heartbeat(members, SECONDS)
        cpu_s, took_s = bench.broker.cpu_s() - before, time.monotonic() - started
        bench.figures[ROWS[-3].name] = cpu_s / took_s * 100
        bench.figures[ROWS[-2].name] = cpu_s / sent * 1_000_000
        beside = bench.start("latency", "ack", bench.scaled(3_000))
        heartbeat(members, SECONDS / 2)
        bench.figures[ROWS[-1].name] = beside.report()["p99_ms"]


def heartbeat(members: list[Member], seconds: float) -> int:
    """Every member in its turn, for so long; how many were sent and answered."""
    sent = 0
    selector = selectors.DefaultSelector()
    for member in members:
        selector.register(member.socket, selectors.EVENT_READ, member)
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        due = int(elapsed / HEARTBEAT_S * len(members))
        while sent <= due:
            members[sent % len(members)].send_heartbeat()
            sent += 1
        for key, _ in selector.select(HEARTBEAT_S / len(members)):
            key.data.take_heartbeat()
    for member in members:
        member.take_heartbeats()
    selector.close()
    return sent
