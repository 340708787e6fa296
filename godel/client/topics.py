"""Topics and their partitions: list, create, enlarge, delete, and delete their records.

What is asked for by name and does not exist raises `NotFound`, with the names that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from godel.client.cluster import Cluster, check, error_code
from godel.client.outcomes import NotFound, Outcome, as_asked
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from godel.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from godel.protocol.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from godel.protocol.messages.metadata import MetadataResponsePartition, MetadataResponseTopic
from godel.types import TopicPartition

BROKER_DEFAULT = -1
"""For a number of partitions or replicas: whatever the broker is set to."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as its metadata show it."""

    name: str
    id: bytes
    is_internal: bool
    partitions: tuple[MetadataResponsePartition, ...]

    @property
    def replication_factor(self) -> int:
        return max((len(each.replica_nodes) for each in self.partitions), default=0)

    @property
    def under_replicated(self) -> list[int]:
        """The partitions that lack a replica."""
        return [each.partition_index for each in self.partitions if is_under_replicated(each)]

    @property
    def without_leader(self) -> list[int]:
        return [each.partition_index for each in self.partitions if each.leader_id < 0]

    def indexes(self) -> list[TopicPartition]:
        return [TopicPartition(self.name, each.partition_index) for each in self.partitions]


def is_under_replicated(partition: MetadataResponsePartition) -> bool:
    return len(partition.isr_nodes) < len(partition.replica_nodes)


def missing_replicas(partition: MetadataResponsePartition) -> set[int]:
    """The brokers whose replica is not in sync."""
    return set(partition.replica_nodes).difference(partition.isr_nodes)


async def all_topics(cluster: Cluster) -> list[Topic]:
    """Every topic, internal ones too, by name."""
    answer = await cluster.metadata(None)
    topics = [_topic(each) for each in answer.topics if not each.error_code]
    return sorted(topics, key=lambda topic: topic.name)


async def named_topics(cluster: Cluster, names: Sequence[str]) -> list[Topic]:
    """These topics, in this order. Raises `NotFound` for the first that does not exist."""
    answer = await cluster.metadata(names)
    found = {each.name: each for each in answer.topics}
    for name in names:
        code = found[name].error_code
        if code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            known = [topic.name for topic in await all_topics(cluster)]
            raise NotFound("topic", name, known)
        check(code, f"topic {name}")
    return [_topic(found[name]) for name in names]


def _topic(described: MetadataResponseTopic) -> Topic:
    partitions = sorted(described.partitions, key=lambda each: each.partition_index)
    name = described.name or ""
    return Topic(name, described.topic_id, described.is_internal, tuple(partitions))


async def create_topics(
    cluster: Cluster,
    names: Sequence[str],
    *,
    partitions: int = BROKER_DEFAULT,
    replication_factor: int = BROKER_DEFAULT,
    configs: Mapping[str, str],
    dry_run: bool = False,
) -> list[tuple[CreatableTopicResult, Outcome]]:
    """Create topics that are alike."""
    settings = [CreatableTopicConfig(name, value) for name, value in configs.items()]
    request = CreateTopicsRequest(
        topics=[
            CreatableTopic(
                name=name,
                num_partitions=partitions,
                replication_factor=replication_factor,
                configs=settings,
            )
            for name in names
        ],
        timeout_ms=int(cluster.timeout_ms),
        validate_only=dry_run,
    )
    answer = await cluster.ask_controller(request, CreateTopicsResponse)
    made = [
        (each, Outcome.of(each.name, each.error_code, each.error_message))
        for each in as_asked(answer.topics, names)
    ]
    if not dry_run:
        for each, outcome in made:
            if outcome.error is None:
                await _until_known(cluster, each.name)
    return made


async def _until_known(cluster: Cluster, name: str) -> None:
    """Brokers hear of a new topic a moment after its controller; whoever produces next needs it."""

    async def attempt() -> None:
        try:
            await cluster.describe(name)
        except ApiError as error:
            if error.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                raise ApiError(ErrorCode.LEADER_NOT_AVAILABLE, str(error)) from error
            raise

    await cluster.retried(attempt)


async def delete_topics(cluster: Cluster, names: Sequence[str]) -> list[Outcome]:
    """Delete topics with all that is in them."""
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=name) for name in names],
        topic_names=list(names),
        timeout_ms=int(cluster.timeout_ms),
    )
    connection_versions = (await cluster.any()).version_of(request, DeleteTopicsResponse)
    if connection_versions < 6:
        request.topics = []
    answer = await cluster.ask_controller(request, DeleteTopicsResponse)
    return [
        Outcome.of(each.name or "", each.error_code, each.error_message)
        for each in as_asked(answer.responses, names)
    ]


async def create_partitions(
    cluster: Cluster, counts: Mapping[str, int], *, dry_run: bool = False
) -> list[Outcome]:
    """Give topics more partitions: so many in all."""
    request = CreatePartitionsRequest(
        topics=[
            CreatePartitionsTopic(name=name, count=count, assignments=None)
            for name, count in counts.items()
        ],
        timeout_ms=int(cluster.timeout_ms),
        validate_only=dry_run,
    )
    answer = await cluster.ask_controller(request, CreatePartitionsResponse)
    return [
        Outcome.of(each.name, each.error_code, each.error_message)
        for each in as_asked(answer.results, counts)
    ]


async def delete_records(
    cluster: Cluster, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int | ApiError]:
    """Delete what is before an offset (-1: everything); where each partition begins now."""
    begins: dict[TopicPartition, int | ApiError] = {}
    for leader, partitions in (await cluster.by_leader(offsets)).items():
        request = DeleteRecordsRequest(
            topics=[
                DeleteRecordsTopic(
                    name=name,
                    partitions=[
                        DeleteRecordsPartition(each.partition, offsets[each]) for each in group
                    ],
                )
                for name, group in by_topic(partitions).items()
            ],
            timeout_ms=int(cluster.timeout_ms),
        )
        answer = await cluster.ask_node(leader, request, DeleteRecordsResponse)
        for topic in answer.topics:
            for each in topic.partitions:
                where = TopicPartition(topic.name, each.partition_index)
                code = each.error_code
                begins[where] = ApiError(error_code(code)) if code else each.low_watermark
    return begins


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[TopicPartition]]:
    """Partitions by topic, in the order in which they come: how most requests want them."""
    topics: dict[str, list[TopicPartition]] = {}
    for partition in partitions:
        topics.setdefault(partition.topic, []).append(partition)
    return topics
