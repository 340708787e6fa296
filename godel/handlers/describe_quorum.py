"""DescribeQuorum (key 55): who keeps the metadata (KIP-595): one voter, the controller.

v1: when a replica last fetched and was caught up; the leader's are now. v2: directory ids,
endpoints and error messages (KIP-853). Offsets are revisions of our metadata store. Deviation:
there is no listener for controllers, so the voter's endpoint is the broker's, under the name of its
security protocol.
"""

from __future__ import annotations

from godel.broker.broker import Broker
from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.metadata.identifiers import CLUSTER_METADATA
from godel.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    Listener,
    Node,
    PartitionDataResponse,
    ReplicaState,
    TopicDataResponse,
)

LISTENER_NAME = "PLAINTEXT"
DIRECTORIES_SINCE = 2


def handle(context: RequestContext, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    asked = [
        (topic.topic_name, [p.partition_index for p in topic.partitions])
        for topic in request.topics
    ]
    if asked != [(CLUSTER_METADATA, [0])]:
        return DescribeQuorumResponse(topics=[refused(*each) for each in asked])
    broker = context.broker
    image = broker.metadata.image
    controller = image.brokers.get(image.controller_id)
    nodes = []
    if controller is not None and context.version >= DIRECTORIES_SINCE:
        listener = Listener(LISTENER_NAME, controller.host, controller.port)
        nodes = [Node(controller.node_id, [listener])]
    return DescribeQuorumResponse(
        topics=[TopicDataResponse(CLUSTER_METADATA, [quorum(broker, context.version)])], nodes=nodes
    )


def quorum(broker: Broker, version: int) -> PartitionDataResponse:
    image = broker.metadata.image
    leader_id = image.controller_id
    now_ms = broker.clock.now_ms()
    leader = ReplicaState(
        replica_id=leader_id,
        log_end_offset=image.revision,
        last_fetch_timestamp=now_ms,
        last_caught_up_timestamp=now_ms,
    )
    if version >= DIRECTORIES_SINCE:
        leader.replica_directory_id = broker.logs.metadata_directory_id
    return PartitionDataResponse(
        leader_id=leader_id,
        leader_epoch=image.epoch_floors.get(leader_id, 0),
        high_watermark=image.revision,
        current_voters=[leader],
    )


def refused(topic: str, partitions: list[int]) -> TopicDataResponse:
    """Kafka refuses all of it unless just the one partition is asked for."""
    return TopicDataResponse(
        topic_name=topic,
        partitions=[
            PartitionDataResponse(
                partition_index=index,
                error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                error_message="This is not the partition of the metadata, or not it alone.",
            )
            for index in partitions
        ],
    )
