from __future__ import annotations

import pytest

from godel.config.broker import BrokerConfig
from godel.config.topic import topic_config
from godel.storage.log_config import log_config


@pytest.mark.parametrize(("policy", "segment_ms"), [("delete", 9000), ("compact,delete", 5000)])
def test_the_active_segment_of_a_compacted_log_ends_in_time(policy: str, segment_ms: int) -> None:
    settings = {
        "cleanup.policy": policy,
        "segment.ms": "9000",
        "max.compaction.lag.ms": "5000",
    }
    config = log_config(topic_config(BrokerConfig(), settings))
    assert config.segment_ms == segment_ms
    assert config.is_deleted
