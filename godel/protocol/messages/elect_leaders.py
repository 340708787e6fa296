"""ElectLeaders (key 43): make the preferred or some other replica the leader (KIP-183, KIP-460)."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, string


class ElectLeadersRequest(Message, api_key=43, versions=(0, 2), flexible_since=2):
    """Which partitions; null: all."""

    election_type: int8 = since(1)  # 0 preferred, 1 unclean
    topic_partitions: list[TopicPartitions] | None = field()
    timeout_ms: int32 = 60000


class TopicPartitions(Message):
    """The partitions of one topic."""

    topic: string = ""
    partitions: list[int32] = field()


class ElectLeadersResponse(Message, api_key=43, versions=(0, 2), flexible_since=2):
    """What became of it."""

    throttle_time_ms: int32 = 0
    error_code: int16 = since(1)
    replica_election_results: list[ReplicaElectionResult] = field()


class ReplicaElectionResult(Message):
    """The part of one topic."""

    topic: string = ""
    partition_result: list[PartitionResult] = field()


class PartitionResult(Message):
    """The outcome for one partition."""

    partition_id: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
