"""The broker without sockets: its partitions and everything that handlers ask for.

One event loop owns it. What exists is decided in the metadata store and arrives as a new image;
the broker only reacts to the difference: partitions come, go, and follow their topic's settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from structlog.typing import FilteringBoundLogger

from godel.broker.auto_creation import AutoCreation
from godel.broker.fetch_sessions import FetchSessions
from godel.broker.groups import group_settings, open_group_coordinator
from godel.broker.partition import Partition
from godel.broker.producer_ids import ProducerIds
from godel.clock import Clock, Randomness
from godel.config.broker import BrokerConfig
from godel.errors import ApiError, ErrorCode, StorageFailed
from godel.metadata.identifiers import CONSUMER_OFFSETS, is_internal
from godel.metadata.image import MetadataImage, TopicImage
from godel.metadata.publisher import Metadata
from godel.metadata.topics import Topics
from godel.metrics import Metrics
from godel.records.partition_log import LogStore, PartitionLog, ProducerEntry
from godel.security.quotas import Quotas
from godel.types import TopicId, TopicPartition


class Broker:
    """One Kafka node. Composed by `server.node` from its parts."""

    def __init__(
        self,
        config: BrokerConfig,
        *,
        metadata: Metadata,
        topics: Topics,
        logs: LogStore,
        clock: Clock,
        randomness: Randomness,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self.node_id = config.node_id
        self.metadata = metadata
        self.topics = topics
        self.logs = logs
        self.clock = clock
        self.randomness = randomness
        self.metrics = metrics
        self.log = log
        self.producer_ids = ProducerIds(topics.allocate_producer_ids)
        self.fetch_sessions = FetchSessions(
            randomness, slots=config.max_incremental_fetch_session_cache_slots
        )
        self.auto_creation = AutoCreation(
            self.create_on_demand,
            linger_ms=config.auto_create_topics_linger_ms,
            clock=clock,
            log=log,
        )
        self.quotas = Quotas(
            samples=config.quota_window_num, window_ms=config.quota_window_size_seconds * 1000.0
        )
        self.is_stopping = False
        self._partitions: dict[str, list[Partition]] = {}
        self._corruptions: dict[TopicPartition, str] = {}
        """What was reported last of each partition with damage."""
        self.groups = open_group_coordinator(
            lambda: self._partitions.get(CONSUMER_OFFSETS, ()),
            config=self.config,
            clock=clock,
            randomness=randomness,
            log=log,
        )
        logs.on_offline = self._go_offline
        logs.on_moved = self._moved
        metadata.subscribe(self._metadata_changed)

    @property
    def config(self) -> BrokerConfig:
        """What the broker was started with, and the changes made since (KIP-226)."""
        return self.metadata.image.broker_config

    # -- life ---------------------------------------------------------------------------------

    async def recover(self) -> None:
        """After an unclean stop, before `start`: repair the logs."""
        configs = {
            TopicPartition(topic.name, partition.index): topic.config
            for topic in self.metadata.image.topics.values()
            for partition in topic.partitions
        }
        await self.logs.recover(configs, threads=self.config.num_recovery_threads_per_data_dir)

    def start(self) -> None:
        """Take over what the image has."""
        self._metadata_changed(None, self.metadata.image)
        self.logs.set_aside_strays(
            {partition.id: partition.topic_id for partition in self.partitions()}
        )
        self.logs.remove_deleted(self.config.log_segment_delete_delay_ms)

    def stop_waiting(self) -> None:
        """The broker stops: answer what is parked with what there is, and park nothing more."""
        self.is_stopping = True
        self.auto_creation.close()
        self.groups.close()
        for partition in self.partitions():
            partition.wake_waiters()

    def close(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, list[ProducerEntry]]]:
        """Let go of the partitions. The logs belong to the log store, which is closed next.

        Returns what that wants to know: the high watermarks and the producers of what is open.
        """
        high_watermarks = self.high_watermarks()
        producers = {
            partition.id: partition.producers.snapshot()
            for partition in self.partitions()
            if partition.opened_log is not None
        }
        for partition in self.partitions():
            partition.close()
        return high_watermarks, producers

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """Of the partitions whose log is open."""
        return {
            partition.id: partition.high_watermark
            for partition in self.partitions()
            if partition.opened_log is not None
        }

    # -- partitions ---------------------------------------------------------------------------

    def partitions(self) -> Iterator[Partition]:
        for partitions in self._partitions.values():
            yield from partitions

    def topics_with_partitions(self) -> list[tuple[str, list[Partition]]]:
        """As they are now, in the order in which the broker came to know them."""
        return list(self._partitions.items())

    def partition(self, topic: str, index: int) -> Partition:
        """A partition by its topic's name, with its log open.

        Raises UNKNOWN_TOPIC_OR_PARTITION, and KAFKA_STORAGE_ERROR where the log cannot be opened.
        """
        partitions = self._partitions.get(topic)
        if partitions is None or not 0 <= index < len(partitions):
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        partition = partitions[index]
        if partition.opened_log is None:
            partition.open()
        return partition

    def find_partition(self, topic: str, index: int) -> Partition | None:
        """A partition that there is, with its log open or not."""
        partitions = self._partitions.get(topic, ())
        return partitions[index] if 0 <= index < len(partitions) else None

    def partition_by_id(self, topic_id: TopicId, index: int) -> Partition:
        """A partition by its topic's id; raises UNKNOWN_TOPIC_ID."""
        name = self.metadata.image.topic_names.get(topic_id)
        if name is None:
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_ID)
        return self.partition(name, index)

    def move(self, topic: str, index: int, path: str) -> None:
        """Begin to move a partition to another data directory. Raises ApiError."""
        id = TopicPartition(topic, index)
        try:
            if self.logs.exists(id):
                self.partition(topic, index)
            self.logs.move(id, path)
        except StorageFailed as failure:
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure

    # -- topics made on demand ----------------------------------------------------------------

    async def create_on_demand(self, name: str) -> None:
        """Create a topic that a client asked for by name. Raises ApiError."""
        if not is_internal(name):
            await self.topics.create_topic(name)
        elif name == CONSUMER_OFFSETS:
            await self.ensure_offsets_topic()
        else:
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

    async def ensure_offsets_topic(self) -> None:
        """Create `__consumer_offsets` unless it is there; then groups can be coordinated."""
        if CONSUMER_OFFSETS in self._partitions:
            return
        config = self.config
        brokers = max(1, len(self.metadata.image.brokers))
        try:
            await self.topics.create_topic(
                CONSUMER_OFFSETS,
                partitions=config.offsets_topic_num_partitions,
                replication_factor=min(config.offsets_topic_replication_factor, brokers),
                configs={
                    "cleanup.policy": "compact",
                    "compression.type": "producer",
                    "segment.bytes": str(config.offsets_topic_segment_bytes),
                },
            )
        except ApiError as refusal:
            if refusal.code is not ErrorCode.TOPIC_ALREADY_EXISTS:
                raise

    # -- the image ----------------------------------------------------------------------------

    def _metadata_changed(self, old: MetadataImage | None, new: MetadataImage) -> None:
        """React to the difference between two images."""
        before: Mapping[str, TopicImage] = {} if old is None else old.topics
        if old is not None and old.broker_config is not new.broker_config:
            self.groups.configure(group_settings(new.broker_config))
        if old is None or old.client_quotas is not new.client_quotas:
            self.quotas.replace(new.client_quotas)
        if before is new.topics:
            return
        gone = [
            topic
            for name, topic in before.items()
            if name not in new.topics or new.topics[name].id != topic.id
        ]
        for topic in gone:
            self._drop(topic)
        if gone:
            self.groups.topics_deleted([topic.name for topic in gone])
        for name, topic in new.topics.items():
            if before.get(name) is not topic:
                self._follow(topic)

    def corruption_met(self, partition: TopicPartition, fetch_offset: int, met: ApiError) -> None:
        """A client was told CORRUPT_MESSAGE. It will ask again: the log says it once."""
        self.metrics.corrupt_reads.add()
        reason = met.message or ""
        if self._corruptions.get(partition) != reason:
            self._corruptions[partition] = reason
            self.log.error(
                "corrupt_batch_read",
                partition=str(partition),
                fetch_offset=fetch_offset,
                reason=reason,
                consequence="consumers cannot read past it",
            )

    def _report_failure(self, partition: TopicPartition, reason: str) -> None:
        self.log.error(
            "partition_fenced",
            partition=str(partition),
            reason=reason,
            consequence="it takes no records until the broker is started again",
        )

    def _go_offline(self, partition: TopicPartition, reason: str) -> None:
        found = self.find_partition(partition.topic, partition.partition)
        if found is not None:
            found.go_offline()
            self.log.error("partition_offline", partition=str(partition), reason=reason)

    def _moved(self, partition: TopicPartition, log: PartitionLog) -> None:
        self._partitions[partition.topic][partition.partition].adopt(log)

    def _drop(self, topic: TopicImage) -> None:
        for partition in self._partitions.pop(topic.name, ()):
            partition.close()
            self._corruptions.pop(partition.id, None)
            self.logs.delete(partition.id, topic.config)
        if topic.name == CONSUMER_OFFSETS:
            self.groups.unload()

    def _follow(self, topic: TopicImage) -> None:
        """Create the partitions that are new, and let the others follow epoch and settings."""
        partitions = self._partitions.setdefault(topic.name, [])
        for partition, image in zip(partitions, topic.partitions, strict=False):
            partition.leader_epoch = image.leader_epoch
            partition.configure(topic.config)
            self.logs.configure(partition.id, topic.config)
        for image in topic.partitions[len(partitions) :]:
            partitions.append(
                Partition(
                    TopicPartition(topic.name, image.index),
                    topic.id,
                    leader_epoch=image.leader_epoch,
                    config=topic.config,
                    logs=self.logs,
                    on_failure=self._report_failure,
                )
            )
        if topic.name == CONSUMER_OFFSETS:
            self.groups.load()
