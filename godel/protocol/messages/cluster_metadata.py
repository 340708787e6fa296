"""Records of `__cluster_metadata`, the log of a KRaft quorum: as much as an import asks for.

A value is a frame (a varint, 1), the record's kind and its version (unsigned varints), and the
message. `RECORD_KINDS` has the kinds.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged
from godel.protocol.types import float64, int8, int32, int64, string, uuid

SAME_LEADER = -2


class TopicRecord(Message, versions=(0, 0), flexible_since=0):
    """A topic was made."""

    name: string = ""
    topic_id: uuid = field()


class PartitionRecord(Message, versions=(0, 2), flexible_since=0):
    """A partition was made, or is as this says."""

    partition_id: int32 = -1
    topic_id: uuid = field()
    replicas: list[int32] = field()
    isr: list[int32] = field()
    removing_replicas: list[int32] = field()
    adding_replicas: list[int32] = field()
    leader: int32 = -1
    leader_recovery_state: int8 = tagged(0, since=0)
    leader_epoch: int32 = -1
    partition_epoch: int32 = -1
    directories: list[uuid] = since(1)
    eligible_leader_replicas: list[int32] | None = tagged(1, since=2, default=None)
    last_known_elr: list[int32] | None = tagged(2, since=2, default=None)


class PartitionChangeRecord(Message, versions=(0, 2), flexible_since=0):
    """Something about a partition changed; a new leader is a new leader epoch."""

    partition_id: int32 = -1
    topic_id: uuid = field()
    isr: list[int32] | None = tagged(0, since=0, default=None)
    leader: int32 = tagged(1, since=0, default=SAME_LEADER)
    replicas: list[int32] | None = tagged(2, since=0, default=None)
    removing_replicas: list[int32] | None = tagged(3, since=0, default=None)
    adding_replicas: list[int32] | None = tagged(4, since=0, default=None)
    leader_recovery_state: int8 = tagged(5, since=0, default=-1)
    directories: list[uuid] | None = tagged(8, since=1, default=None)
    eligible_leader_replicas: list[int32] | None = tagged(6, since=2, default=None)
    last_known_elr: list[int32] | None = tagged(7, since=2, default=None)


class ConfigRecord(Message, versions=(0, 0), flexible_since=0):
    """A setting of a topic, broker or other resource; null takes it back."""

    resource_type: int8 = 0
    resource_name: string = ""
    name: string = ""
    value: string | None = ""


class RemoveTopicRecord(Message, versions=(0, 0), flexible_since=0):
    """A topic was deleted."""

    topic_id: uuid = field()


class EntityData(Message, versions=(0, 0), flexible_since=0):
    entity_type: string = ""
    entity_name: string | None = ""


class ClientQuotaRecord(Message, versions=(0, 0), flexible_since=0):
    """A quota was set or taken back."""

    entity: list[EntityData] = field()
    key: string = ""
    value: float64 = 0.0
    remove: bool = False


class ProducerIdsRecord(Message, versions=(0, 0), flexible_since=0):
    """A broker got a block of producer ids."""

    broker_id: int32 = 0
    broker_epoch: int64 = -1
    next_producer_id: int64 = 0


RECORD_KINDS: dict[int, type[Message]] = {
    2: TopicRecord,
    3: PartitionRecord,
    4: ConfigRecord,
    5: PartitionChangeRecord,
    9: RemoveTopicRecord,
    14: ClientQuotaRecord,
    15: ProducerIdsRecord,
}
BEGIN_TRANSACTION, END_TRANSACTION, ABORT_TRANSACTION = 23, 24, 25
"""Kinds that bracket others (KIP-868); of an aborted bracket nothing counts."""
