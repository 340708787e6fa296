"""The group coordinator on the partitions of `__consumer_offsets`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from godel.broker.coordinator_log import PartitionCoordinatorLog
from godel.broker.partition import Partition
from godel.clock import Clock, Randomness
from godel.config.broker import BrokerConfig
from godel.coordinator.group_coordinator import GroupCoordinator
from godel.coordinator.settings import GroupSettings
from godel.errors import ApiError, ErrorCode


def open_group_coordinator(
    partitions: Callable[[], Sequence[Partition]],
    *,
    config: BrokerConfig,
    clock: Clock,
    randomness: Randomness,
    log: FilteringBoundLogger,
) -> GroupCoordinator:
    """`partitions`: those of `__consumer_offsets`, none while the topic does not exist."""

    def find(index: int) -> Partition:
        found = partitions()
        if index >= len(found):
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return found[index]

    return GroupCoordinator(
        group_settings(config),
        clock=clock,
        randomness=randomness,
        open_log=lambda index: PartitionCoordinatorLog(lambda: find(index)),
        partition_count=lambda: len(partitions()),
        log=log,
    )


def group_settings(config: BrokerConfig) -> GroupSettings:
    """What the coordinator needs of the broker's settings."""
    return GroupSettings(
        group_min_session_timeout_ms=config.group_min_session_timeout_ms,
        group_max_session_timeout_ms=config.group_max_session_timeout_ms,
        group_initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        group_max_size=config.group_max_size,
        offset_metadata_max_bytes=config.offset_metadata_max_bytes,
        offsets_retention_ms=config.offsets_retention_minutes * 60_000,
        offsets_retention_check_interval_ms=config.offsets_retention_check_interval_ms,
        offsets_commit_timeout_ms=config.offsets_commit_timeout_ms,
    )
