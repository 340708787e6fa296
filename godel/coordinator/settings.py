"""The settings of the group coordinator, under Kafka's names, and the bounds that are our own."""

from __future__ import annotations

from typing import NamedTuple


class GroupSettings(NamedTuple):
    """Kafka's defaults. Replaced as a whole when a dynamic setting changes."""

    group_min_session_timeout_ms: int = 6_000
    group_max_session_timeout_ms: int = 1_800_000
    group_initial_rebalance_delay_ms: int = 3_000
    group_max_size: int = 2**31 - 1
    offset_metadata_max_bytes: int = 4_096
    offsets_retention_ms: int = 10_080 * 60_000
    offsets_retention_check_interval_ms: int = 600_000
    offsets_commit_timeout_ms: int = 5_000
    new_member_join_timeout_ms: int = 300_000
    """How long a member that has never been answered may be parked; a constant in Kafka."""
    pending_members_max: int = 10_000
    """Ids given out with MEMBER_ID_REQUIRED and not used yet, per group; then
    COORDINATOR_NOT_AVAILABLE, which clients try again."""
    parked_max: int = 100_000
    """JoinGroup and SyncGroup requests waiting, per coordinator partition; then
    COORDINATOR_NOT_AVAILABLE."""
