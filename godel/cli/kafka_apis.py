"""The APIs that a client may send to Apache Kafka 4.4, with the stable versions it accepts.

Source: the message schemas of Kafka's release branch 4.4. APIs between brokers or for controllers
only are left out, as is the unstable version 6 of InitProducerId.

`godel api` takes names from here, docs/generate.py what is compared with ours.
"""

from __future__ import annotations

from typing import NamedTuple

KAFKA_RELEASE = "4.4"


class KafkaApi(NamedTuple):
    """One API of Kafka."""

    key: int
    name: str
    first: int
    last: int
    family: str


PRODUCE_AND_CONSUME = "Produce and consume"
GROUPS_AND_TOPICS = "Groups and topics"
ADMINISTRATION = "Transactions, security, administration"
NEWER_GROUPS = "KIP-848, share and streams groups, telemetry"

KAFKA_APIS = (
    KafkaApi(0, "Produce", 3, 13, PRODUCE_AND_CONSUME),
    KafkaApi(1, "Fetch", 4, 18, PRODUCE_AND_CONSUME),
    KafkaApi(2, "ListOffsets", 1, 11, PRODUCE_AND_CONSUME),
    KafkaApi(3, "Metadata", 0, 13, PRODUCE_AND_CONSUME),
    KafkaApi(8, "OffsetCommit", 2, 10, GROUPS_AND_TOPICS),
    KafkaApi(9, "OffsetFetch", 1, 10, GROUPS_AND_TOPICS),
    KafkaApi(10, "FindCoordinator", 0, 6, GROUPS_AND_TOPICS),
    KafkaApi(11, "JoinGroup", 0, 9, GROUPS_AND_TOPICS),
    KafkaApi(12, "Heartbeat", 0, 4, GROUPS_AND_TOPICS),
    KafkaApi(13, "LeaveGroup", 0, 5, GROUPS_AND_TOPICS),
    KafkaApi(14, "SyncGroup", 0, 5, GROUPS_AND_TOPICS),
    KafkaApi(15, "DescribeGroups", 0, 6, GROUPS_AND_TOPICS),
    KafkaApi(16, "ListGroups", 0, 5, GROUPS_AND_TOPICS),
    KafkaApi(17, "SaslHandshake", 0, 1, ADMINISTRATION),
    KafkaApi(18, "ApiVersions", 0, 5, PRODUCE_AND_CONSUME),
    KafkaApi(19, "CreateTopics", 2, 7, GROUPS_AND_TOPICS),
    KafkaApi(20, "DeleteTopics", 1, 6, GROUPS_AND_TOPICS),
    KafkaApi(21, "DeleteRecords", 0, 2, ADMINISTRATION),
    KafkaApi(22, "InitProducerId", 0, 5, PRODUCE_AND_CONSUME),
    KafkaApi(23, "OffsetForLeaderEpoch", 2, 4, GROUPS_AND_TOPICS),
    KafkaApi(24, "AddPartitionsToTxn", 0, 5, ADMINISTRATION),
    KafkaApi(25, "AddOffsetsToTxn", 0, 4, ADMINISTRATION),
    KafkaApi(26, "EndTxn", 0, 5, ADMINISTRATION),
    KafkaApi(27, "WriteTxnMarkers", 1, 2, ADMINISTRATION),
    KafkaApi(28, "TxnOffsetCommit", 0, 6, ADMINISTRATION),
    KafkaApi(29, "DescribeAcls", 1, 3, ADMINISTRATION),
    KafkaApi(30, "CreateAcls", 1, 3, ADMINISTRATION),
    KafkaApi(31, "DeleteAcls", 1, 3, ADMINISTRATION),
    KafkaApi(32, "DescribeConfigs", 1, 4, GROUPS_AND_TOPICS),
    KafkaApi(33, "AlterConfigs", 0, 2, ADMINISTRATION),
    KafkaApi(34, "AlterReplicaLogDirs", 1, 2, ADMINISTRATION),
    KafkaApi(35, "DescribeLogDirs", 1, 5, ADMINISTRATION),
    KafkaApi(36, "SaslAuthenticate", 0, 2, ADMINISTRATION),
    KafkaApi(37, "CreatePartitions", 0, 3, GROUPS_AND_TOPICS),
    KafkaApi(38, "CreateDelegationToken", 1, 3, ADMINISTRATION),
    KafkaApi(39, "RenewDelegationToken", 1, 2, ADMINISTRATION),
    KafkaApi(40, "ExpireDelegationToken", 1, 2, ADMINISTRATION),
    KafkaApi(41, "DescribeDelegationToken", 1, 3, ADMINISTRATION),
    KafkaApi(42, "DeleteGroups", 0, 3, GROUPS_AND_TOPICS),
    KafkaApi(43, "ElectLeaders", 0, 2, ADMINISTRATION),
    KafkaApi(44, "IncrementalAlterConfigs", 0, 1, GROUPS_AND_TOPICS),
    KafkaApi(45, "AlterPartitionReassignments", 0, 1, ADMINISTRATION),
    KafkaApi(46, "ListPartitionReassignments", 0, 0, ADMINISTRATION),
    KafkaApi(47, "OffsetDelete", 0, 0, ADMINISTRATION),
    KafkaApi(48, "DescribeClientQuotas", 0, 1, ADMINISTRATION),
    KafkaApi(49, "AlterClientQuotas", 0, 1, ADMINISTRATION),
    KafkaApi(50, "DescribeUserScramCredentials", 0, 0, ADMINISTRATION),
    KafkaApi(51, "AlterUserScramCredentials", 0, 0, ADMINISTRATION),
    KafkaApi(55, "DescribeQuorum", 0, 2, ADMINISTRATION),
    KafkaApi(57, "UpdateFeatures", 0, 2, ADMINISTRATION),
    KafkaApi(60, "DescribeCluster", 0, 2, GROUPS_AND_TOPICS),
    KafkaApi(61, "DescribeProducers", 0, 0, ADMINISTRATION),
    KafkaApi(64, "UnregisterBroker", 0, 0, ADMINISTRATION),
    KafkaApi(65, "DescribeTransactions", 0, 0, ADMINISTRATION),
    KafkaApi(66, "ListTransactions", 0, 2, ADMINISTRATION),
    KafkaApi(68, "ConsumerGroupHeartbeat", 0, 1, NEWER_GROUPS),
    KafkaApi(69, "ConsumerGroupDescribe", 0, 1, NEWER_GROUPS),
    KafkaApi(71, "GetTelemetrySubscriptions", 0, 0, NEWER_GROUPS),
    KafkaApi(72, "PushTelemetry", 0, 0, NEWER_GROUPS),
    KafkaApi(74, "ListConfigResources", 0, 1, ADMINISTRATION),
    KafkaApi(75, "DescribeTopicPartitions", 0, 0, ADMINISTRATION),
    KafkaApi(76, "ShareGroupHeartbeat", 1, 1, NEWER_GROUPS),
    KafkaApi(77, "ShareGroupDescribe", 1, 1, NEWER_GROUPS),
    KafkaApi(78, "ShareFetch", 1, 2, NEWER_GROUPS),
    KafkaApi(79, "ShareAcknowledge", 1, 2, NEWER_GROUPS),
    KafkaApi(80, "AddRaftVoter", 0, 1, ADMINISTRATION),
    KafkaApi(81, "RemoveRaftVoter", 0, 0, ADMINISTRATION),
    KafkaApi(88, "StreamsGroupHeartbeat", 0, 1, NEWER_GROUPS),
    KafkaApi(89, "StreamsGroupDescribe", 0, 1, NEWER_GROUPS),
    KafkaApi(90, "DescribeShareGroupOffsets", 0, 1, NEWER_GROUPS),
    KafkaApi(91, "AlterShareGroupOffsets", 0, 0, NEWER_GROUPS),
    KafkaApi(92, "DeleteShareGroupOffsets", 0, 0, NEWER_GROUPS),
    KafkaApi(93, "StreamsGroupTopologyDescriptionUpdate", 0, 0, NEWER_GROUPS),
    KafkaApi(94, "UnregisterController", 0, 0, ADMINISTRATION),
)
