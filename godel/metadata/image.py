"""What exists, as one immutable snapshot: the data path reads nothing else.

`ImageBuilder` turns what the store says into the next image. Maps are copied on write: a changed
topic costs one shallow copy of the map of topics, not the topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from godel.config import BrokerConfig, TopicConfig, topic_config
from godel.metadata import records
from godel.metadata.identifiers import collision_form, is_internal, may_collide
from godel.metadata.store import Change
from godel.security.quotas import Entity
from godel.types import TopicId

Key = TypeVar("Key")
Value = TypeVar("Value")

NO_CONTROLLER = -1
CLUSTER_DEFAULT = -1
"""The key of the cluster-wide overrides in `MetadataImage.broker_overrides`."""

MAX_SHARED_CONFIGS = 4096


class BrokerRegistration(NamedTuple):
    """A broker and where clients find it."""

    node_id: int
    host: str
    port: int
    rack: str | None = None


@dataclass(frozen=True, slots=True)
class PartitionImage:
    """A partition; `leader_epoch` is the effective one and never goes down."""

    index: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicImage:
    """A topic. `overrides` are its own settings, `config` is what follows from them."""

    name: str
    id: TopicId
    partitions: tuple[PartitionImage, ...]
    overrides: Mapping[str, str]
    config: TopicConfig
    is_internal: bool
    mod_revision: int
    """The store's revision of the record: the guard of the next change."""


@dataclass(frozen=True, slots=True)
class MetadataImage:
    """One state of the metadata. Mappings are never changed."""

    revision: int
    cluster_id: str
    broker_config: BrokerConfig
    """This broker's settings with the live changes applied."""
    brokers: Mapping[int, BrokerRegistration] = field(default_factory=dict)
    topics: Mapping[str, TopicImage] = field(default_factory=dict)
    topic_names: Mapping[TopicId, str] = field(default_factory=dict)
    collision_names: Mapping[str, str] = field(default_factory=dict)
    """Topics whose name has `.` or `_`, by the form in which these are one."""
    broker_overrides: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    group_overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    client_quotas: Mapping[Entity, Mapping[str, float]] = field(default_factory=dict)
    epoch_floors: Mapping[int, int] = field(default_factory=dict)

    @property
    def controller_id(self) -> int:
        """The broker that clients are sent to for administration: the lowest id."""
        return min(self.brokers, default=NO_CONTROLLER)

    def has_partition(self, topic: str, index: int) -> bool:
        found = self.topics.get(topic)
        return found is not None and 0 <= index < len(found.partitions)


class ImageBuilder:
    """Makes images for one broker. Keeps only a cache of configurations that topics share."""

    def __init__(self, node_id: int, config: BrokerConfig) -> None:
        self._node_id = node_id
        self._static = config
        self._shared: dict[tuple[tuple[str, str], ...], TopicConfig] = {}

    def empty(self) -> MetadataImage:
        return MetadataImage(revision=0, cluster_id="", broker_config=self._static)

    def apply(
        self, image: MetadataImage, changes: Iterable[Change], revision: int
    ) -> MetadataImage:
        """The image after these changes. Raises `records.CorruptRecord`."""
        draft = _Draft(image)
        topics: list[Change] = []
        for change in changes:
            if change.key.startswith(records.TOPICS):
                topics.append(change)
            else:
                _apply_other(draft, change)
        if draft.broker_overrides is not image.broker_overrides:
            self._configure(draft)
        floors_moved = draft.epoch_floors is not image.epoch_floors
        if floors_moved or draft.broker_config is not image.broker_config:
            self._revise_topics(draft)
        if topics:
            self._apply_topics(draft, topics)
        return draft.finish(revision)

    def _configure(self, draft: _Draft) -> None:
        """Live changes of the broker's settings: the cluster's, then this broker's own."""
        overrides = draft.broker_overrides
        draft.broker_config = self._static.replaced(
            {**overrides.get(CLUSTER_DEFAULT, {}), **overrides.get(self._node_id, {})}
        )
        self._shared.clear()

    def _revise_topics(self, draft: _Draft) -> None:
        """Every topic anew: the broker's defaults or an epoch floor moved, which is rare."""
        draft.topics = {
            name: replace(
                topic,
                config=self._config(draft.broker_config, topic.overrides),
                partitions=tuple(
                    replace(
                        each,
                        leader_epoch=max(each.leader_epoch, draft.epoch_floors.get(each.leader, 0)),
                    )
                    for each in topic.partitions
                ),
            )
            for name, topic in draft.topics.items()
        }

    def _apply_topics(self, draft: _Draft, changes: list[Change]) -> None:
        topics = dict(draft.topics)
        names = dict(draft.topic_names)
        collisions = (
            dict(draft.collision_names)
            if any(may_collide(records.name_in(key, records.TOPICS)) for key, _ in changes)
            else None
        )
        for key, entry in changes:
            name = records.name_in(key, records.TOPICS)
            old = topics.pop(name, None)
            if old is not None:
                del names[old.id]
            if collisions is not None and may_collide(name):
                collisions.pop(collision_form(name), None)
            if entry is None:
                continue
            record = records.decode_topic(key, entry.value)
            topics[name] = self._topic(draft, name, record, entry.mod_revision)
            names[record.id] = name
            if collisions is not None and may_collide(name):
                collisions[collision_form(name)] = name
        draft.topics, draft.topic_names = topics, names
        if collisions is not None:
            draft.collision_names = collisions

    def _topic(
        self, draft: _Draft, name: str, record: records.TopicRecord, mod_revision: int
    ) -> TopicImage:
        floors = draft.epoch_floors
        return TopicImage(
            name=name,
            id=record.id,
            partitions=tuple(
                PartitionImage(
                    index,
                    each.leader,
                    max(each.leader_epoch, floors.get(each.leader, 0)),
                    each.replicas,
                )
                for index, each in enumerate(record.partitions)
            ),
            overrides=record.configs,
            config=self._config(draft.broker_config, record.configs),
            is_internal=is_internal(name),
            mod_revision=mod_revision,
        )

    def _config(self, broker: BrokerConfig, overrides: Mapping[str, str]) -> TopicConfig:
        key = tuple(sorted(overrides.items()))
        config = self._shared.get(key)
        if config is None:
            if len(self._shared) >= MAX_SHARED_CONFIGS:
                self._shared.clear()
            config = self._shared[key] = topic_config(broker, overrides)
        return config


class _Draft:
    """The next image while it is being made. Mappings are replaced, never changed."""

    def __init__(self, image: MetadataImage) -> None:
        self.cluster_id = image.cluster_id
        self.broker_config = image.broker_config
        self.brokers = image.brokers
        self.topics = image.topics
        self.topic_names = image.topic_names
        self.collision_names = image.collision_names
        self.broker_overrides = image.broker_overrides
        self.group_overrides = image.group_overrides
        self.client_quotas = image.client_quotas
        self.epoch_floors = image.epoch_floors

    def finish(self, revision: int) -> MetadataImage:
        return MetadataImage(
            revision=revision,
            cluster_id=self.cluster_id,
            broker_config=self.broker_config,
            brokers=self.brokers,
            topics=self.topics,
            topic_names=self.topic_names,
            collision_names=self.collision_names,
            broker_overrides=self.broker_overrides,
            group_overrides=self.group_overrides,
            client_quotas=self.client_quotas,
            epoch_floors=self.epoch_floors,
        )


def _apply_other(draft: _Draft, change: Change) -> None:
    """A change of anything but a topic. Keys of no concern to an image are passed over."""
    key, entry = change
    value = entry.value if entry is not None else None
    if key == records.CLUSTER_KEY and value is not None:
        draft.cluster_id = records.decode_cluster(key, value)
    elif key.startswith(records.BROKERS):
        node_id = records.number_in(key, records.BROKERS)
        broker = None
        if value is not None:
            broker = BrokerRegistration(node_id, *records.decode_broker(key, value))
        draft.brokers = _changed(draft.brokers, node_id, broker)
    elif key.startswith(records.BROKER_CONFIGS):
        is_default = key == records.BROKER_CONFIGS
        whose = CLUSTER_DEFAULT if is_default else records.number_in(key, records.BROKER_CONFIGS)
        overrides = records.decode_configs(key, value) if value is not None else None
        draft.broker_overrides = _changed(draft.broker_overrides, whose, overrides)
    elif key.startswith(records.GROUP_CONFIGS):
        group = records.name_in(key, records.GROUP_CONFIGS)
        overrides = records.decode_configs(key, value) if value is not None else None
        draft.group_overrides = _changed(draft.group_overrides, group, overrides)
    elif key.startswith(records.CLIENT_QUOTAS):
        quotas = records.decode_client_quotas(key, value) if value is not None else None
        draft.client_quotas = _changed(draft.client_quotas, records.entity_in(key), quotas)
    elif key.startswith(records.EPOCH_FLOORS) and value is not None:
        node_id = records.number_in(key, records.EPOCH_FLOORS)
        floor = max(records.decode_number(key, value), draft.epoch_floors.get(node_id, 0))
        draft.epoch_floors = _changed(draft.epoch_floors, node_id, floor)


def _changed(mapping: Mapping[Key, Value], key: Key, value: Value | None) -> Mapping[Key, Value]:
    copy = dict(mapping)
    if value is None:
        copy.pop(key, None)
    else:
        copy[key] = value
    return copy
