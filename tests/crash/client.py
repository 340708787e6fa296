"""What histories and checks ask a broker for, by calling its handlers or through a socket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from godel.metadata.identifiers import CONSUMER_OFFSETS
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
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest
from godel.protocol.messages.init_producer_id import InitProducerIdRequest
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from tests.crash.promises import Stored
from tests.wire import produce_request, produced

GROUP = "readers"
BY_NAME = 8
"""A version of OffsetCommit and OffsetFetch in which topics have names."""


class Client(ABC):
    """One client of one broker. Every refusal is a failure of the test."""

    @abstractmethod
    async def ask(self, request: Message, version: int | None = None) -> Any:
        """The answer."""

    @abstractmethod
    async def topic_ids(self) -> Mapping[str, bytes]:
        """All topics but the internal ones."""

    @abstractmethod
    async def stored(self, topic: str, index: int) -> Stored:
        """Everything that consumers see of a partition."""

    @abstractmethod
    async def visible(self, topic: str, index: int) -> tuple[int, int]:
        """Log start and high watermark."""

    @abstractmethod
    async def turns(self, count: int) -> None:
        """Let everything else go on."""

    @abstractmethod
    async def checkpoint(self) -> None:
        """The broker's round, where it does not come by itself; as the next two."""

    @abstractmethod
    async def maintain(self) -> None: ...

    @abstractmethod
    async def compact(self) -> None: ...

    async def create(self, topic: str, partitions: int, configs: Mapping[str, object]) -> bytes:
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
        """The log start that is told."""
        wanted = DeleteRecordsPartition(partition_index=partition, offset=offset)
        topics = [DeleteRecordsTopic(name=topic, partitions=[wanted])]
        (answered,) = (await self.ask(DeleteRecordsRequest(topics=topics))).topics
        (result,) = answered.partitions
        assert result.error_code == 0, result
        return int(result.low_watermark)

    async def find_coordinator(self) -> None:
        """From then on there is a topic of committed offsets."""
        request = FindCoordinatorRequest(key_type=0, coordinator_keys=[GROUP])
        (found,) = (await self.ask(request)).coordinators
        assert found.error_code == 0, found

    async def commit(self, topic: str, partition: int, offset: int) -> None:
        wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
        topics = [OffsetCommitRequestTopic(name=topic, partitions=[wanted])]
        request = OffsetCommitRequest(
            group_id=GROUP, generation_id_or_member_epoch=-1, member_id="", topics=topics
        )
        (answered,) = (await self.ask(request, BY_NAME)).topics
        assert answered.partitions[0].error_code == 0, answered

    async def committed(self) -> dict[tuple[str, int], int]:
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=None)])
        (group,) = (await self.ask(request, BY_NAME)).groups
        assert group.error_code == 0, group
        return {
            (topic.name, each.partition_index): each.committed_offset
            for topic in group.topics
            for each in topic.partitions
        }


def is_ours(topic: str) -> bool:
    return topic != CONSUMER_OFFSETS
