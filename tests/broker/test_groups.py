"""What the group coordinator takes over of the broker's settings, at the start and live."""

from __future__ import annotations

import dataclasses

from godel.broker.groups import group_settings
from godel.config.broker import BrokerConfig
from godel.protocol.messages.heartbeat import HeartbeatRequest
from godel.testing import Broker
from tests.wire import Client


def test_every_setting_follows_the_configuration() -> None:
    changed = group_settings(
        BrokerConfig().replaced(
            {
                "group.min.session.timeout.ms": "1",
                "group.max.session.timeout.ms": "2",
                "group.initial.rebalance.delay.ms": "3",
                "group.max.size": "4",
                "offset.metadata.max.bytes": "5",
                "offsets.retention.minutes": "6",
                "offsets.retention.check.interval.ms": "7",
                "offsets.commit.timeout.ms": "8",
            }
        )
    )
    assert (changed.group_min_session_timeout_ms, changed.group_max_session_timeout_ms) == (1, 2)
    assert (changed.group_initial_rebalance_delay_ms, changed.group_max_size) == (3, 4)
    assert (changed.offset_metadata_max_bytes, changed.offsets_retention_ms) == (5, 360_000)
    assert changed.offsets_retention_check_interval_ms == 7
    assert changed.offsets_commit_timeout_ms == 8
    assert dataclasses.is_dataclass(changed)


def test_without_an_offsets_topic_nothing_is_coordinated(broker: Broker, client: Client) -> None:
    answer = client.send(HeartbeatRequest(group_id="g", generation_id=1, member_id="m"))
    assert answer.error_code == 16, "NOT_COORDINATOR"
    assert broker.run(lambda node: list(node.broker.partitions())) == []
