"""DescribeCluster (key 60): the brokers, the controller and the cluster's id (KIP-700).

v1: endpoint_type (KIP-919): 2, the controllers', answers MISMATCHED_ENDPOINT_TYPE, because only
brokers can be asked here. v2: fenced brokers; there are none.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.handlers.authorized_operations import CLUSTER_OPERATIONS, NOT_ASKED
from godel.protocol.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS = 1
CONTROLLERS = 2


def handle(context: RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse:
    if request.endpoint_type == CONTROLLERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            error_message="This is a broker; the request asks for controllers.",
        )
    if request.endpoint_type != BROKERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"There is no endpoint type {request.endpoint_type}.",
        )
    image = context.broker.metadata.image
    asked = request.include_cluster_authorized_operations
    return DescribeClusterResponse(
        cluster_id=image.cluster_id,
        controller_id=image.controller_id,
        brokers=[
            DescribeClusterBroker(
                broker_id=broker.node_id, host=broker.host, port=broker.port, rack=broker.rack
            )
            for broker in image.brokers.values()
        ],
        cluster_authorized_operations=CLUSTER_OPERATIONS if asked else NOT_ASKED,
    )
