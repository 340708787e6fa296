"""ApiVersions (key 18): which APIs and versions this broker speaks.

The response header is version 0 whatever the version, so that a client can read the refusal of a
version it tried.
"""

from __future__ import annotations

from godel.protocol.message import Message, field, since, tagged
from godel.protocol.types import int16, int32, int64, string


class ApiVersionsRequest(Message, api_key=18, versions=(0, 5), flexible_since=3):
    """Who is asking (KIP-511)."""

    client_software_name: string = since(3, ignorable=True)
    client_software_version: string = since(3, ignorable=True)
    # KIP-1242: whom the client means to reach
    cluster_id: string | None = since(5, default=None, ignorable=True)
    node_id: int32 = since(5, default=-1, ignorable=True)


class ApiVersionsResponse(Message, api_key=18, versions=(0, 5), flexible_since=3):
    """The table of APIs, and feature levels (KIP-584)."""

    error_code: int16 = 0
    api_keys: list[ApiVersion] = field()
    throttle_time_ms: int32 = since(1, ignorable=True)
    supported_features: list[SupportedFeatureKey] = tagged(0, since=3, ignorable=True)
    # -1: not known
    finalized_features_epoch: int64 = tagged(1, since=3, default=-1, ignorable=True)
    finalized_features: list[FinalizedFeatureKey] = tagged(2, since=3, ignorable=True)
    zk_migration_ready: bool = tagged(3, since=3, ignorable=True)  # never here


class ApiVersion(Message):
    """One API and its versions, both ends included."""

    api_key: int16 = 0
    min_version: int16 = 0
    max_version: int16 = 0


class SupportedFeatureKey(Message):
    """A feature and the levels this broker could run."""

    name: string = ""
    min_version: int16 = 0
    max_version: int16 = 0


class FinalizedFeatureKey(Message):
    """A feature and the level the cluster runs."""

    name: string = ""
    max_version_level: int16 = 0
    min_version_level: int16 = 0
