"""The settings' defaults are Kafka's."""

from __future__ import annotations

from godel.config.broker import BrokerConfig
from godel.coordinator.settings import GroupSettings


def test_the_defaults_are_the_broker_s() -> None:
    ours, theirs = GroupSettings(), BrokerConfig()
    for name in (
        "group_min_session_timeout_ms",
        "group_max_session_timeout_ms",
        "group_initial_rebalance_delay_ms",
        "group_max_size",
        "offset_metadata_max_bytes",
        "offsets_retention_check_interval_ms",
        "offsets_commit_timeout_ms",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.offsets_retention_ms == theirs.offsets_retention_minutes * 60_000
