"""Committed offsets of all groups of a coordinator partition, and when they expire.

Plays the part of Kafka's `OffsetMetadataManager` and `OffsetExpirationCondition` (KIP-211,
KIP-496). Any offset is stored as it comes, also one beyond the end of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from godel.coordinator.records import OffsetRecord
from godel.protocol.messages.group_metadata import OffsetCommitKey, OffsetCommitValue
from godel.protocol.messages.offset_commit import OffsetCommitRequestPartition
from godel.types import TopicPartition

DEFAULT_RETENTION = -1
INT64_MAX = 2**63 - 1


class CommittedOffset(NamedTuple):
    """What a group has committed for a partition. `expire_ms` None: the broker's retention."""

    offset: int
    leader_epoch: int
    metadata: str
    commit_ms: int
    expire_ms: int | None

    def is_expired(self, now_ms: int, base_ms: int, retention_ms: int) -> bool:
        if self.expire_ms is not None:
            return now_ms >= self.expire_ms
        return now_ms - base_ms >= retention_ms


FetchedTopics: TypeAlias = list[tuple[str, list[tuple[int, CommittedOffset | None]]]]
"""Partitions by topic, as they were asked for; None: nothing committed there."""

RetentionBase: TypeAlias = Callable[[str, CommittedOffset], int | None]
"""The moment from which an offset of a topic grows old; None: it does not."""


class CommittedOffsets:
    """The offsets by group, topic and partition. Only `apply` changes them."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, dict[int, CommittedOffset]]] = {}

    def apply(self, record: OffsetRecord) -> None:
        key, value = record
        if value is None:
            self._remove(key)
            return
        topics = self._groups.setdefault(key.group, {})
        topics.setdefault(key.topic, {})[key.partition] = CommittedOffset(
            offset=value.offset,
            leader_epoch=value.leader_epoch,
            metadata=value.metadata,
            commit_ms=value.commit_timestamp,
            expire_ms=None if value.expire_timestamp < 0 else value.expire_timestamp,
        )

    def get(self, group: str, topic: str, partition: int) -> CommittedOffset | None:
        return self._groups.get(group, {}).get(topic, {}).get(partition)

    def topics(self, group: str) -> dict[str, dict[int, CommittedOffset]]:
        """The group's offsets; not to be changed by the caller."""
        return self._groups.get(group, {})

    def groups(self) -> list[str]:
        return list(self._groups)

    def count(self, group: str) -> int:
        return sum(len(partitions) for partitions in self._groups.get(group, {}).values())

    def of_group(self, group: str) -> Iterator[TopicPartition]:
        for topic, partitions in self._groups.get(group, {}).items():
            for partition in partitions:
                yield TopicPartition(topic, partition)

    def expired(
        self,
        group: str,
        base_ms: RetentionBase,
        *,
        now_ms: int,
        retention_ms: int,
    ) -> list[TopicPartition]:
        expired = []
        for topic, partitions in self._groups.get(group, {}).items():
            for partition, committed in partitions.items():
                base = base_ms(topic, committed)
                if base is not None and committed.is_expired(now_ms, base, retention_ms):
                    expired.append(TopicPartition(topic, partition))
        return expired

    def _remove(self, key: OffsetCommitKey) -> None:
        topics = self._groups.get(key.group, {})
        partitions = topics.get(key.topic, {})
        partitions.pop(key.partition, None)
        if not partitions:
            topics.pop(key.topic, None)
        if not topics:
            self._groups.pop(key.group, None)


def commit_record(
    group: str,
    topic: str,
    partition: OffsetCommitRequestPartition,
    *,
    now_ms: int,
    retention_time_ms: int,
) -> OffsetRecord:
    """The record of one commit; `retention_time_ms` comes with requests of version 2 to 4."""
    expire_ms = -1
    if retention_time_ms != DEFAULT_RETENTION:
        expire_ms = min(max(now_ms + retention_time_ms, 0), INT64_MAX)
    return OffsetRecord(
        OffsetCommitKey(group=group, topic=topic, partition=partition.partition_index),
        OffsetCommitValue(
            offset=partition.committed_offset,
            # The version that keeps an expiry has no room for the epoch.
            leader_epoch=partition.committed_leader_epoch if expire_ms < 0 else -1,
            metadata=partition.committed_metadata or "",
            commit_timestamp=now_ms,
            expire_timestamp=expire_ms,
        ),
    )


def tombstone(group: str, partition: TopicPartition) -> OffsetRecord:
    key = OffsetCommitKey(group=group, topic=partition.topic, partition=partition.partition)
    return OffsetRecord(key, None)
