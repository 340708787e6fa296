"""One running broker process: opens what it needs, composes the parts, serves, stops in order.

The same for the daemon and for the broker embedded in a test; they differ in what they pass in:
the door to the file system, the metadata store, the clock.

Order of a start: data directory (lock, marker removed) -> metadata -> partitions, recovered where
the last stop was not clean -> listener -> registration. A stop goes the other way round and ends
with the checkpoints and the marker of a clean stop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
from structlog.typing import FilteringBoundLogger

from godel import descriptors
from godel.broker.broker import Broker
from godel.broker.context import Endpoint
from godel.broker.maintenance import run_maintenance
from godel.broker.readings import connect
from godel.clock import Clock, Randomness
from godel.config.broker import BrokerConfig
from godel.config.listener import WILDCARD_HOSTS, parse_listener
from godel.errors import StorageFailed
from godel.handlers import APIS
from godel.metadata.image import MetadataImage
from godel.metadata.publisher import Metadata
from godel.metadata.store import MetadataStore
from godel.metadata.topics import Topics
from godel.metrics import Metrics
from godel.server.dispatch import Dispatcher
from godel.server.limits import Limits
from godel.server.listener import Listener
from godel.server.monitor import Monitor, monitored
from godel.server.reception import Reception
from godel.storage.data_directories import DataDirectories
from godel.storage.flusher import Flusher
from godel.storage.log_store import LocalLogStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a node is given from outside."""

    directories: DataDirectories
    store: MetadataStore
    clock: Clock
    randomness: Randomness
    log: FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Node:
    """A broker that serves: its parts for those who run it, its address for those who call it."""

    broker: Broker
    endpoint: Endpoint
    """What clients are told."""

    listens_on: Endpoint

    monitor: Endpoint | None = None
    """Where metrics and health are (`metrics.listener`)."""


@asynccontextmanager
async def running_node(config: BrokerConfig, given: Surroundings) -> AsyncIterator[Node]:
    """Serve until the block ends; then stop accepting, finish, flush and mark a clean stop.

    Takes over `given.directories` and closes them. Raises OSError when an address cannot be
    listened on, StoreUnavailable or CorruptRecord when the metadata cannot be read. Ends the block
    and raises StorageFailed when the disk with the metadata fails.
    """
    failures: list[StorageFailed] = []
    metrics = Metrics()

    async def watch(broker: Broker, scope: anyio.CancelScope) -> None:
        try:
            await broker.logs.watch()
        except StorageFailed as failure:
            failures.append(failure)
            scope.cancel()

    async with (
        minding_the_loop(metrics, given.log),
        watched(config, given, metrics) as monitor,
        running_broker(config, given, metrics) as broker,
        serving(config, broker, given) as node,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(run_maintenance, broker)
        tasks.start_soon(watch, broker, tasks.cancel_scope)
        tasks.start_soon(broker.logs.run_moves)
        tasks.start_soon(broker.logs.run_checkpoints)
        monitor.broker = broker
        yield replace(node, monitor=monitor.listens_on)
        tasks.cancel_scope.cancel()
    for failure in failures:
        raise failure


@asynccontextmanager
async def watched(
    config: BrokerConfig, given: Surroundings, metrics: Metrics
) -> AsyncIterator[Monitor]:
    """The monitor, before there is a broker to take the directories over."""
    async with AsyncExitStack() as stack:
        with given.directories.given_back_on_failure():
            monitor = await stack.enter_async_context(
                monitored(config, metrics, given.clock, given.log)
            )
        yield monitor


@asynccontextmanager
async def minding_the_loop(metrics: Metrics, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Count and log what nobody catches in callbacks and tasks of this event loop."""

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError):  # of the system, as when descriptors run out
            metrics.bugs.add()
        log.error("unforeseen_error", where=context.get("message"), exc_info=error)

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(note)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


@asynccontextmanager
async def running_broker(
    config: BrokerConfig, given: Surroundings, metrics: Metrics | None = None
) -> AsyncIterator[Broker]:
    """The broker without sockets: opened, and recovered where the last stop was not clean.

    When the block ends it stops in order.
    """
    was_clean = given.directories.was_clean
    metrics = metrics or Metrics()
    metadata = Metadata(
        given.store,
        node_id=config.node_id,
        config=config,
        clock=given.clock,
        randomness=given.randomness,
        log=given.log,
    )
    flusher = Flusher(given.directories.files, clock=given.clock, times=metrics.sync_times)
    logs = LocalLogStore(
        given.directories,
        flusher=flusher,
        clock=given.clock,
        randomness=given.randomness,
        log=given.log,
    )
    broker = Broker(
        config,
        metadata=metadata,
        topics=Topics(metadata),
        logs=logs,
        clock=given.clock,
        randomness=given.randomness,
        metrics=metrics,
        log=given.log,
    )
    try:
        await metadata.start(unclean=not was_clean, cluster_id=given.directories.cluster_id)
        await broker.recover()
        broker.start()
        given.directories.keep_reserve()
        connect(broker)
        yield broker
    finally:
        with anyio.CancelScope(shield=True):
            await stop(broker, flusher, given)


async def stop(broker: Broker, flusher: Flusher, given: Surroundings) -> None:
    """Flush and close everything; the next start need not check what this one says is clean."""
    high_watermarks, producers = broker.close()
    await flusher.close()
    is_clean = await broker.logs.close(high_watermarks, producers)
    await broker.metadata.close()
    if not is_clean:
        given.log.warning("unclean_stop", consequence="the next start checks every log")


@asynccontextmanager
async def serving(config: BrokerConfig, broker: Broker, given: Surroundings) -> AsyncIterator[Node]:
    """Let clients in, and tell them where."""
    dispatcher = Dispatcher(
        APIS, broker, broker.metrics, log=given.log, clock=given.clock, quotas=broker.quotas
    )
    dispatcher.slow.configure(broker.config.slow_request_log_ms)
    reception = Reception(dispatcher, limits(broker.config))

    def follow(old: MetadataImage, new: MetadataImage) -> None:
        if old.broker_config is not new.broker_config:
            reception.limits = limits(new.broker_config)
            dispatcher.slow.configure(new.broker_config.slow_request_log_ms)

    broker.metadata.subscribe(follow)
    listener = Listener(reception)
    address = parse_listener(config.listeners[0])
    await listener.bind(address.host, address.port)
    try:
        endpoint = advertised(config, Endpoint(address.host, listener.port))
        await broker.metadata.register(endpoint.host, endpoint.port, config.broker_rack)
        await listener.start(endpoint, backlog=config.socket_listen_backlog_size)
        yield Node(broker, endpoint, Endpoint(address.host, listener.port))
    finally:
        with anyio.CancelScope(shield=True):
            listener.stop_accepting()
            broker.stop_waiting()
            await reception.close()


def advertised(config: BrokerConfig, listens_on: Endpoint) -> Endpoint:
    """The address in Metadata: never a wildcard, and with the port that was really bound."""
    if config.advertised_listeners:
        address = parse_listener(config.advertised_listeners[0])
        return Endpoint(address.host, address.port or listens_on.port)
    if listens_on.host in WILDCARD_HOSTS:
        return Endpoint(own_host_name(), listens_on.port)
    return listens_on


def own_host_name() -> str:
    """This machine's name; raises OSError where not even the machine itself can resolve it."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        raise OSError(
            error.errno,
            f"clients cannot be told this machine's name, {name}: it does not resolve; say what "
            "they shall connect to with --advertise HOST:PORT",
        ) from error
    return name


def limits(config: BrokerConfig) -> Limits:
    """The bounds of connections and requests that the configuration asks for."""
    bounds = Limits(
        max_request_bytes=config.socket_request_max_bytes,
        max_connections=min(config.max_connections, descriptors.for_connections()),
        max_connections_per_ip=config.max_connections_per_ip,
        max_idle_ms=config.connections_max_idle_ms,
    )
    if config.queued_max_request_bytes > 0:
        return replace(bounds, queued_request_bytes=config.queued_max_request_bytes)
    return bounds
