"""CreateTopics messages."""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged
from godel.protocol.types import int8, int16, int32, string, uuid


class CreateTopicsRequest(Message, api_key=19, versions=(2, 7), flexible_since=5):
    """TODO."""

    topics: list[CreatableTopic] = field()
    timeout_ms: int32 = 60000
    validate_only: bool = False


class CreatableTopic(Message):
    """TODO."""

    name: string = ""
    num_partitions: int32 = 0
    replication_factor: int16 = 0
    assignments: list[CreatableReplicaAssignment] = field()
    configs: list[CreatableTopicConfig] = field()


class CreatableReplicaAssignment(Message):
    """TODO."""

    partition_index: int32 = 0
    broker_ids: list[int32] = field()


class CreatableTopicConfig(Message):
    """TODO."""

    name: string = ""
    value: string | None = ""


class CreateTopicsResponse(Message, api_key=19, versions=(2, 7), flexible_since=5):
    """TODO."""

    throttle_time_ms: int32 = 0
    topics: list[CreatableTopicResult] = field()


class CreatableTopicResult(Message):
    """TODO."""

    name: string = ""
    topic_id: uuid = since(7, ignorable=True)
    error_code: int16 = 0
    error_message: string | None = ""
    topic_config_error_code: int16 = tagged(0, since=5, ignorable=True)
    num_partitions: int32 = since(5, default=-1, ignorable=True)
    replication_factor: int16 = since(5, default=-1, ignorable=True)
    configs: list[CreatableTopicConfigs] | None = since(5, ignorable=True)


class CreatableTopicConfigs(Message):
    """TODO."""

    name: string = ""
    value: string | None = ""
    read_only: bool = False
    config_source: int8 = -1
    is_sensitive: bool = False
