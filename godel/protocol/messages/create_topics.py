"""CreateTopics (key 19): create topics, or say what would happen."""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged
from godel.protocol.types import int8, int16, int32, string, uuid


class CreateTopicsRequest(Message, api_key=19, versions=(2, 7), flexible_since=5):
    """Topics to create."""

    topics: list[CreatableTopic] = field()
    timeout_ms: int32 = 60000
    validate_only: bool = False


class CreatableTopic(Message):
    """One topic: either counts or an assignment by hand."""

    name: string = ""
    num_partitions: int32 = 0  # -1: the default, or by assignment
    replication_factor: int16 = 0  # -1: the default, or by assignment
    assignments: list[CreatableReplicaAssignment] = field()
    configs: list[CreatableTopicConfig] = field()


class CreatableReplicaAssignment(Message):
    """Which brokers hold a partition, the preferred leader first."""

    partition_index: int32 = 0
    broker_ids: list[int32] = field()


class CreatableTopicConfig(Message):
    """A setting that differs from the broker's default."""

    name: string = ""
    value: string | None = ""


class CreateTopicsResponse(Message, api_key=19, versions=(2, 7), flexible_since=5):
    """What became of them."""

    throttle_time_ms: int32 = 0
    topics: list[CreatableTopicResult] = field()


class CreatableTopicResult(Message):
    """The outcome for one topic; since v5 also what it looks like (KIP-525)."""

    name: string = ""
    topic_id: uuid = since(7, ignorable=True)
    error_code: int16 = 0
    error_message: string | None = ""
    topic_config_error_code: int16 = tagged(0, since=5, ignorable=True)  # why `configs` is null
    num_partitions: int32 = since(5, default=-1, ignorable=True)
    replication_factor: int16 = since(5, default=-1, ignorable=True)
    configs: list[CreatableTopicConfigs] | None = since(5, ignorable=True)


class CreatableTopicConfigs(Message):
    """A setting of the topic that was created."""

    name: string = ""
    value: string | None = ""
    read_only: bool = False
    config_source: int8 = -1
    is_sensitive: bool = False
