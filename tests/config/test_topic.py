"""A topic's settings follow the broker's unless it says otherwise."""

from __future__ import annotations

import pytest

from godel.config.broker import BrokerConfig
from godel.config.setting import InvalidValue
from godel.config.topic import TopicConfig, check_topic_overrides, topic_config


def test_the_defaults_are_the_brokers() -> None:
    assert topic_config(BrokerConfig(), {}) == TopicConfig(
        **{
            declared.attribute: declared.default
            for declared in TopicConfig.SETTINGS.values()
            if declared.broker_name is not None
        }
    )


def test_an_override_beats_the_broker() -> None:
    broker = BrokerConfig(log_retention_hours=1, message_max_bytes=77, write_caching=True)
    config = topic_config(broker, {"retention.ms": "9"})
    assert (config.retention_ms, config.max_message_bytes) == (9, 77)
    assert config.write_caching
    assert topic_config(broker, {}).retention_ms == 3_600_000


def test_minutes_beat_hours_and_milliseconds_minutes() -> None:
    hours = BrokerConfig(log_retention_hours=1, log_retention_minutes=2)
    assert topic_config(hours, {}).retention_ms == 120_000
    all_three = hours.replaced({"log.retention.ms": "3"})
    assert topic_config(all_three, {}).retention_ms == 3


def test_unlimited_hours_stay_unlimited() -> None:
    assert topic_config(BrokerConfig(log_retention_hours=-1), {}).retention_ms == -1


def test_compaction_is_a_word_of_the_policy() -> None:
    assert topic_config(BrokerConfig(), {"cleanup.policy": "delete,compact"}).is_compacted
    assert not topic_config(BrokerConfig(), {"cleanup.policy": ""}).is_compacted


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"nope": "1"}, "Unknown topic config name: nope"),
        ({"retention.ms": None}, "Null value"),
        ({"retention.ms": "x"}, "Not a number of type LONG"),
        ({"segment.bytes": "14"}, "at least 1048576"),
        ({"cleanup.policy": "burn"}, "one of: compact, delete"),
        ({"remote.storage.enable": "true"}, "only false"),
        ({"min.compaction.lag.ms": "2", "max.compaction.lag.ms": "1"}, "min.compaction.lag.ms"),
        ({"message.downconversion.enable": "true"}, "Unknown topic config name"),
        ({"follower.replication.throttled.replicas": "zz"}, "PARTITION:BROKER"),
    ],
)
def test_bad_overrides_are_refused(overrides: dict[str, str | None], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        check_topic_overrides(BrokerConfig(), overrides)


def test_good_overrides_pass() -> None:
    check_topic_overrides(
        BrokerConfig(),
        {
            "cleanup.policy": "",
            "retention.ms": " -1 ",
            "compression.type": "zstd",
            "leader.replication.throttled.replicas": "0:1,2:3",
            "follower.replication.throttled.replicas": "*",
        },
    )
