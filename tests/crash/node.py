"""A whole broker on a disk that tests break: every part of the daemon's, and its handlers asked."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from godel.broker.context import RequestContext
from godel.clock import ManualClock, Randomness
from godel.config.sources import from_flags, load
from godel.handlers import APIS
from godel.metadata.memory_store import MemoryStore
from godel.protocol.message import Message
from godel.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from godel.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from godel.protocol.messages.init_producer_id import InitProducerIdRequest
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from godel.server.node import Node, Surroundings, running_node
from godel.storage.data_directory import DataDirectory
from godel.storage.faulty_files import FaultyFiles
from tests.wire import produce_request, produced

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
TURNS = 50
"""Of the event loop; more than anything takes that waits for nothing but its turn."""

_APIS = {api.request: api for api in APIS}
GROUP = "readers"


@asynccontextmanager
async def running(
    disk: FaultyFiles, store: MemoryStore, clock: ManualClock, *, seed: int
) -> AsyncIterator[Client]:
    """The broker from its start to its stop in good order."""
    randomness = Randomness(seed)
    directory = DataDirectory.open(
        "data", files=disk, clock=clock, randomness=randomness, node_id=1
    )
    bugs: list[EventDict] = []
    given = Surroundings(
        directory=directory, store=store, clock=clock, randomness=randomness, log=log_into(bugs)
    )
    failure = None
    async with running_node(CONFIG, given) as node:
        try:
            yield Client(node)
        except Exception as raised:  # noqa: BLE001  # raised again where no task group wraps it
            failure = raised
    if failure is not None:
        raise failure
    assert not bugs, bugs


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


class Client:
    """Asks the handlers of a running broker, without a wire between."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.broker = node.broker
        self.context = RequestContext(node.broker, client_host="127.0.0.1", listener=node.endpoint)
        self.context.client_id = "tester"

    async def ask(self, request: Message, version: int | None = None) -> Any:
        api = _APIS[type(request)]
        self.context.version = api.versions[1] if version is None else version
        answer = api.handle(self.context, request)
        return await answer if inspect.isawaitable(answer) else answer

    async def create(self, topic: str, partitions: int, configs: dict[str, object]) -> bytes:
        settings = [CreatableTopicConfig(name=key, value=f"{one}") for key, one in configs.items()]
        wish = CreatableTopic(
            name=topic, num_partitions=partitions, replication_factor=1, configs=settings
        )
        (made,) = (await self.ask(CreateTopicsRequest(topics=[wish]))).topics
        assert made.error_code == 0, made
        return bytes(made.topic_id)

    async def delete(self, topic: str) -> None:
        state = DeleteTopicState(name=topic)
        (gone,) = (await self.ask(DeleteTopicsRequest(topics=[state]))).responses
        assert gone.error_code == 0, gone

    async def produce(self, topic: str, partition: int, batch: bytes, *, acks: int) -> int:
        """The base offset that is told."""
        answer = produced(await self.ask(produce_request({(topic, partition): batch}, acks=acks)))
        assert answer.error_code == 0, answer
        return int(answer.base_offset)

    async def producer_id(self) -> int:
        request = InitProducerIdRequest(transactional_id=None, producer_id=-1, producer_epoch=-1)
        answer = await self.ask(request)
        assert answer.error_code == 0, answer
        return int(answer.producer_id)

    async def delete_records(self, topic: str, partition: int, offset: int) -> int:
        wanted = DeleteRecordsPartition(partition_index=partition, offset=offset)
        topics = [DeleteRecordsTopic(name=topic, partitions=[wanted])]
        (answered,) = (await self.ask(DeleteRecordsRequest(topics=topics))).topics
        (result,) = answered.partitions
        assert result.error_code == 0, result
        return int(result.low_watermark)

    async def commit(self, topic: str, partition: int, offset: int) -> None:
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
        topics = [OffsetCommitRequestTopic(name=topic, partitions=[wanted])]
        request = OffsetCommitRequest(
            group_id=GROUP, generation_id_or_member_epoch=-1, member_id="", topics=topics
        )
        (answered,) = (await self.ask(request, 9)).topics
        assert answered.partitions[0].error_code == 0, answered

    async def committed(self) -> dict[tuple[str, int], int]:
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=None)])
        (group,) = (await self.ask(request, 9)).groups
        assert group.error_code == 0, group
        return {
            (topic.name, each.partition_index): each.committed_offset
            for topic in group.topics
            for each in topic.partitions
        }

    async def turns(self, count: int = TURNS) -> None:
        """Let everything else on the loop go on."""
        for _ in range(count):
            await asyncio.sleep(0)

    def topics(self) -> Sequence[str]:
        return [name for name in self.broker.metadata.image.topics if not name.startswith("__")]
