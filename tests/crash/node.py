"""A whole broker on a disk that tests break: every part of the daemon's, and its handlers asked."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from godel.broker.context import RequestContext
from godel.broker.maintenance import compact_dirtiest, maintain_partitions
from godel.broker.partition import Partition
from godel.clock import ManualClock, Randomness
from godel.config.sources import from_flags, load
from godel.handlers import APIS
from godel.metadata.memory_store import MemoryStore
from godel.protocol.message import Message
from godel.records.batch import iterate_headers
from godel.server.node import Node, Surroundings, running_node
from godel.storage.data_directories import DataDirectories
from godel.storage.faulty_files import FaultyFiles
from godel.types import in_memory
from tests.crash.client import Client, is_ours
from tests.crash.promises import Stored, stored_in

NEVER_MS = 10**12
SETTINGS = {
    "listeners": "PLAINTEXT://127.0.0.1:0",
    "write.caching": "false",
    "offsets.topic.num.partitions": "1",
    # The history says when these are done.
    "log.initial.task.delay.ms": f"{NEVER_MS}",
    "log.retention.check.interval.ms": f"{NEVER_MS}",
    "log.cleaner.backoff.ms": f"{NEVER_MS}",
    "log.flush.offset.checkpoint.interval.ms": "2147483647",
    "offsets.retention.check.interval.ms": f"{NEVER_MS}",
}
CONFIG = load(from_flags(SETTINGS.items(), "tests")).config
READ_BYTES = 1 << 20

_APIS = {api.request: api for api in APIS}


@asynccontextmanager
async def running(
    disk: FaultyFiles,
    store: MemoryStore,
    clock: ManualClock,
    *,
    seed: int,
    paths: Sequence[str] = ("data",),
) -> AsyncIterator[NodeClient]:
    """The broker from its start to its stop in good order."""
    randomness = Randomness(seed)
    directories = DataDirectories.open(
        paths, files=disk, clock=clock, randomness=randomness, node_id=1
    )
    bugs: list[EventDict] = []
    given = Surroundings(
        directories=directories, store=store, clock=clock, randomness=randomness, log=log_into(bugs)
    )
    failure = None
    with small_limits():
        async with running_node(CONFIG, given) as node:
            try:
                yield NodeClient(node)
            except Exception as raised:  # noqa: BLE001  # raised again where no task group wraps it
                failure = raised
    if failure is not None:
        raise failure
    assert not bugs, bugs


@contextmanager
def small_limits() -> Iterator[None]:
    """Checkpoints that follow what is written, and syncs of cached logs, come every few batches."""
    with (
        patch("godel.storage.checkpoints.BYTES_PER_CHECKPOINT", 1000),
        patch("godel.storage.durability.CACHED_BYTES", 300),
        patch("godel.storage.log.REPLAYED_BYTES", 500),
    ):
        yield


def log_into(bugs: list[EventDict]) -> FilteringBoundLogger:
    """A log that keeps the tracebacks and nothing else."""

    def keep(_logger: object, _method: str, event: EventDict) -> EventDict:
        if event.get("exc_info"):
            bugs.append(event)
        raise structlog.DropEvent

    log: FilteringBoundLogger = structlog.wrap_logger(
        None,
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )
    return log


class NodeClient(Client):
    """Asks the handlers of a running broker, without a wire between, and drives its rounds."""

    def __init__(self, node: Node) -> None:
        self.broker = node.broker
        self.context = RequestContext(node.broker, client_host="127.0.0.1", listener=node.endpoint)
        self.context.client_id = "tester"

    async def ask(self, request: Message, version: int | None = None) -> Any:
        api = _APIS[type(request)]
        self.context.version = api.versions[1] if version is None else version
        answer = api.handle(self.context, request)
        return await answer if inspect.isawaitable(answer) else answer

    async def topic_ids(self) -> Mapping[str, bytes]:
        topics = self.broker.metadata.image.topics
        return {name: topic.id for name, topic in topics.items() if is_ours(name)}

    async def stored(self, topic: str, index: int) -> Stored:
        partition = self.broker.partition(topic, index)
        stored = stored_in(_pieces(partition), partition.log_start_offset, partition.high_watermark)
        for batch in stored.batches:
            at = partition.epoch_at(max(batch.base_offset, stored.start))
            assert at == batch.epoch, f"{batch} is in epoch {at} of {partition.epochs.entries}"
        return stored._replace(leader_epoch=partition.leader_epoch)

    async def visible(self, topic: str, index: int) -> tuple[int, int]:
        partition = self.broker.partition(topic, index)
        return partition.log_start_offset, partition.high_watermark

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def checkpoint(self) -> None:
        await self.broker.logs.checkpoint(self.broker.high_watermarks())

    async def maintain(self) -> None:
        await maintain_partitions(self.broker)

    async def compact(self) -> None:
        await compact_dirtiest(self.broker, set())


def _pieces(partition: Partition) -> Iterator[memoryview]:
    """What consumers read from its start to its end."""
    offset = partition.log_start_offset
    while offset < partition.high_watermark:
        found = partition.read(offset, READ_BYTES, committed_only=False, at_least_one=True)
        if not found.size_bytes:
            return
        piece = memoryview(b"".join(map(in_memory, found.pieces)))
        yield piece
        offset = [header.next_offset for header in iterate_headers(piece)][-1]
