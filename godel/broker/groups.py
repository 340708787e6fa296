"""The group coordinator on the partitions of `__consumer_offsets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from godel.broker.coordinator_log import PartitionCoordinatorLog
from godel.config.broker import BrokerConfig
from godel.coordinator.group_coordinator import GroupCoordinator
from godel.coordinator.settings import GroupSettings
from godel.metadata.identifiers import CONSUMER_OFFSETS

if TYPE_CHECKING:
    from godel.broker.broker import Broker


def open_group_coordinator(broker: Broker) -> GroupCoordinator:
    return GroupCoordinator(
        group_settings(broker.config),
        clock=broker.clock,
        randomness=broker.randomness,
        open_log=lambda index: PartitionCoordinatorLog(
            lambda: broker.partition(CONSUMER_OFFSETS, index)
        ),
        partition_count=lambda: broker.partition_count(CONSUMER_OFFSETS),
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
