"""DescribeCluster (key 60): cluster id, controller and brokers (KIP-700)."""

from __future__ import annotations

from godel.protocol.message import Message, field, since
from godel.protocol.types import int8, int16, int32, string


class DescribeClusterRequest(Message, api_key=60, versions=(0, 2), flexible_since=0):
    """What to say about the cluster."""

    include_cluster_authorized_operations: bool = False
    endpoint_type: int8 = since(1, default=1)  # 1 brokers, 2 controllers
    include_fenced_brokers: bool = since(2)  # KIP-1073


class DescribeClusterResponse(Message, api_key=60, versions=(0, 2), flexible_since=0):
    """The cluster."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: string | None = None
    endpoint_type: int8 = since(1, default=1)
    cluster_id: string = ""
    controller_id: int32 = -1
    brokers: list[DescribeClusterBroker] = field()
    # bits by AclOperation; this when not asked
    cluster_authorized_operations: int32 = -2147483648


class DescribeClusterBroker(Message):
    """One broker."""

    broker_id: int32 = 0
    host: string = ""
    port: int32 = 0
    rack: string | None = None
    is_fenced: bool = since(2)
