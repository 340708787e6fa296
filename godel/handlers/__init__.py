"""The table of APIs: dispatch, ApiVersions and the generated docs are made from it.

A new API is a class in `protocol/messages`, a module here with `handle(context, request)`, a row in
this table, and a test module. The versions are those that this broker offers; where they end before
Kafka's, what the next one is about does not work yet (topic ids in Produce and in offsets, KIP-848,
transactions).
"""

from __future__ import annotations

from typing import Any

from godel.handlers import (
    alter_client_quotas,
    alter_configs,
    alter_partition_reassignments,
    alter_replica_log_dirs,
    create_partitions,
    create_topics,
    delete_groups,
    delete_records,
    delete_topics,
    describe_client_quotas,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_log_dirs,
    describe_producers,
    describe_quorum,
    describe_topic_partitions,
    elect_leaders,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_config_resources,
    list_groups,
    list_offsets,
    list_partition_reassignments,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    produce,
    sync_group,
    update_features,
)
from godel.handlers.api_versions import with_api_versions
from godel.protocol.api import Api, Handle
from godel.protocol.message import Message
from godel.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
)
from godel.protocol.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from godel.protocol.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)
from godel.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
)
from godel.protocol.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
)
from godel.protocol.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from godel.protocol.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from godel.protocol.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from godel.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from godel.protocol.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from godel.protocol.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from godel.protocol.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResponse
from godel.protocol.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from godel.protocol.messages.describe_log_dirs import (
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
)
from godel.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
)
from godel.protocol.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from godel.protocol.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
)
from godel.protocol.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse
from godel.protocol.messages.fetch import FetchRequest, FetchResponse
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from godel.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from godel.protocol.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from godel.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from godel.protocol.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from godel.protocol.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from godel.protocol.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from godel.protocol.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from godel.protocol.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from godel.protocol.messages.metadata import MetadataRequest, MetadataResponse
from godel.protocol.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from godel.protocol.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from godel.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from godel.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)
from godel.protocol.messages.produce import ProduceRequest, ProduceResponse
from godel.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from godel.protocol.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse

__all__ = ["APIS", "Api"]


def row(
    handle: Handle,
    request: type[Message],
    response: type[Message],
    *,
    versions: tuple[int, int],
    **more: Any,
) -> Api:
    """One line of the table; key and name come from the request's class."""
    return Api(
        key=request.API_KEY,
        name=request.__name__.removesuffix("Request"),
        versions=versions,
        request=request,
        response=response,
        handle=handle,
        **more,
    )


APIS: tuple[Api, ...] = with_api_versions(
    (
        row(
            produce.handle,
            ProduceRequest,
            ProduceResponse,
            versions=(0, 11),
            accepted_from=3,
            pipelined=True,
            counts_errors=True,
        ),
        row(
            fetch.handle,
            FetchRequest,
            FetchResponse,
            versions=(4, 18),
            waits_on_purpose=True,
            counts_errors=True,
        ),
        row(list_offsets.handle, ListOffsetsRequest, ListOffsetsResponse, versions=(1, 11)),
        row(metadata.handle, MetadataRequest, MetadataResponse, versions=(0, 13)),
        row(offset_commit.handle, OffsetCommitRequest, OffsetCommitResponse, versions=(2, 8)),
        row(offset_fetch.handle, OffsetFetchRequest, OffsetFetchResponse, versions=(1, 8)),
        row(
            find_coordinator.handle,
            FindCoordinatorRequest,
            FindCoordinatorResponse,
            versions=(0, 6),
        ),
        row(
            join_group.handle,
            JoinGroupRequest,
            JoinGroupResponse,
            versions=(0, 9),
            waits_on_purpose=True,
        ),
        row(heartbeat.handle, HeartbeatRequest, HeartbeatResponse, versions=(0, 4)),
        row(leave_group.handle, LeaveGroupRequest, LeaveGroupResponse, versions=(0, 5)),
        row(
            sync_group.handle,
            SyncGroupRequest,
            SyncGroupResponse,
            versions=(0, 5),
            waits_on_purpose=True,
        ),
        row(describe_groups.handle, DescribeGroupsRequest, DescribeGroupsResponse, versions=(0, 6)),
        row(list_groups.handle, ListGroupsRequest, ListGroupsResponse, versions=(0, 5)),
        row(create_topics.handle, CreateTopicsRequest, CreateTopicsResponse, versions=(2, 7)),
        row(delete_topics.handle, DeleteTopicsRequest, DeleteTopicsResponse, versions=(1, 6)),
        row(
            init_producer_id.handle, InitProducerIdRequest, InitProducerIdResponse, versions=(0, 5)
        ),
        row(
            offset_for_leader_epoch.handle,
            OffsetForLeaderEpochRequest,
            OffsetForLeaderEpochResponse,
            versions=(2, 4),
        ),
        row(
            describe_configs.handle,
            DescribeConfigsRequest,
            DescribeConfigsResponse,
            versions=(1, 4),
        ),
        row(
            create_partitions.handle,
            CreatePartitionsRequest,
            CreatePartitionsResponse,
            versions=(0, 3),
        ),
        row(delete_groups.handle, DeleteGroupsRequest, DeleteGroupsResponse, versions=(0, 3)),
        row(
            incremental_alter_configs.handle,
            IncrementalAlterConfigsRequest,
            IncrementalAlterConfigsResponse,
            versions=(0, 1),
        ),
        row(
            describe_cluster.handle,
            DescribeClusterRequest,
            DescribeClusterResponse,
            versions=(0, 2),
        ),
        row(delete_records.handle, DeleteRecordsRequest, DeleteRecordsResponse, versions=(0, 2)),
        row(alter_configs.handle, AlterConfigsRequest, AlterConfigsResponse, versions=(0, 2)),
        row(
            alter_replica_log_dirs.handle,
            AlterReplicaLogDirsRequest,
            AlterReplicaLogDirsResponse,
            versions=(1, 2),
        ),
        row(
            describe_log_dirs.handle,
            DescribeLogDirsRequest,
            DescribeLogDirsResponse,
            versions=(1, 5),
        ),
        row(elect_leaders.handle, ElectLeadersRequest, ElectLeadersResponse, versions=(0, 2)),
        row(
            alter_partition_reassignments.handle,
            AlterPartitionReassignmentsRequest,
            AlterPartitionReassignmentsResponse,
            versions=(0, 1),
        ),
        row(
            list_partition_reassignments.handle,
            ListPartitionReassignmentsRequest,
            ListPartitionReassignmentsResponse,
            versions=(0, 0),
        ),
        row(offset_delete.handle, OffsetDeleteRequest, OffsetDeleteResponse, versions=(0, 0)),
        row(
            describe_client_quotas.handle,
            DescribeClientQuotasRequest,
            DescribeClientQuotasResponse,
            versions=(0, 1),
        ),
        row(
            alter_client_quotas.handle,
            AlterClientQuotasRequest,
            AlterClientQuotasResponse,
            versions=(0, 1),
        ),
        row(describe_quorum.handle, DescribeQuorumRequest, DescribeQuorumResponse, versions=(0, 2)),
        row(update_features.handle, UpdateFeaturesRequest, UpdateFeaturesResponse, versions=(0, 2)),
        row(
            describe_producers.handle,
            DescribeProducersRequest,
            DescribeProducersResponse,
            versions=(0, 0),
        ),
        row(
            list_config_resources.handle,
            ListConfigResourcesRequest,
            ListConfigResourcesResponse,
            versions=(0, 1),
        ),
        row(
            describe_topic_partitions.handle,
            DescribeTopicPartitionsRequest,
            DescribeTopicPartitionsResponse,
            versions=(0, 0),
        ),
    )
)
