"""Levels, synonyms and sources as DescribeConfigs shows them."""

from __future__ import annotations

from godel.config.broker import BrokerConfig
from godel.config.describe import (
    BrokerLevels,
    ConfigEntry,
    Source,
    Synonym,
    describe_broker,
    describe_cluster_default,
    describe_group,
    describe_topic,
)
from godel.config.topic import TopicConfig, topic_config


def levels(
    static: BrokerConfig,
    cluster: dict[str, str] | None = None,
    broker: dict[str, str] | None = None,
) -> BrokerLevels:
    cluster, broker = cluster or {}, broker or {}
    return BrokerLevels(
        dict(static.given()), cluster, broker, static.replaced({**cluster, **broker})
    )


def topic_entry(name: str, overrides: dict[str, str], behind: BrokerLevels) -> ConfigEntry:
    (entry,) = describe_topic(topic_config(behind.now, overrides), overrides, behind, [name])
    return entry


def test_a_default_of_a_topic() -> None:
    entry = topic_entry("segment.bytes", {}, levels(BrokerConfig()))
    assert (entry.value, entry.source) == ("1073741824", Source.DEFAULT)
    assert entry.synonyms == (Synonym("log.segment.bytes", "1073741824", Source.DEFAULT),)


def test_every_level_in_its_order() -> None:
    behind = levels(
        BrokerConfig(log_retention_ms=4), {"log.retention.ms": "3"}, {"log.retention.ms": "2"}
    )
    entry = topic_entry("retention.ms", {"retention.ms": "1"}, behind)
    assert (entry.value, entry.source) == ("1", Source.TOPIC)
    assert [(each.value, each.source) for each in entry.synonyms] == [
        ("1", Source.TOPIC),
        ("2", Source.DYNAMIC_BROKER),
        ("3", Source.DYNAMIC_DEFAULT),
        ("4", Source.STATIC_BROKER),
        ("168", Source.DEFAULT),
    ]


def test_a_stand_in_alone_is_not_explained() -> None:
    """As a running Kafka 4.3 answers for retention.ms."""
    entry = topic_entry("retention.ms", {}, levels(BrokerConfig(log_retention_hours=2)))
    assert (entry.value, entry.source, entry.synonyms) == ("7200000", Source.DEFAULT, ())


def test_names_choose_and_unknown_ones_are_left_out() -> None:
    behind = levels(BrokerConfig())
    config = topic_config(behind.now, {})
    names = ["retention.ms", "nope", "retention.ms"]
    assert [each.name for each in describe_topic(config, {}, behind, names)] == ["retention.ms"]
    everything = describe_topic(config, {}, behind, None)
    assert [each.name for each in everything] == list(TopicConfig.SETTINGS)


def test_a_broker_shows_its_own_and_the_live_values() -> None:
    behind = levels(BrokerConfig(node_id=3), {"log.retention.ms": "5"})
    entries = {each.name: each for each in describe_broker(behind, None)}
    assert entries.keys() == BrokerConfig.SETTINGS.keys()
    assert (entries["node.id"].value, entries["node.id"].source) == ("3", Source.STATIC_BROKER)
    assert entries["node.id"].read_only
    retention = entries["log.retention.ms"]
    assert (retention.value, retention.source) == ("5", Source.DYNAMIC_DEFAULT)
    assert not retention.read_only
    assert entries["log.retention.hours"].source is Source.DEFAULT


def test_the_cluster_default_shows_only_what_was_set() -> None:
    (entry,) = describe_cluster_default({"log.retention.ms": "5"}, None)
    assert (entry.name, entry.value, entry.source) == (
        "log.retention.ms",
        "5",
        Source.DYNAMIC_DEFAULT,
    )


def test_a_group() -> None:
    overrides = {"consumer.session.timeout.ms": "50000"}
    changed, default = describe_group(overrides, levels(BrokerConfig()), None)
    assert (changed.value, changed.source) == ("50000", Source.GROUP)
    assert changed.synonyms[1].name == "group.consumer.session.timeout.ms"
    assert (default.value, default.source) == ("5000", Source.DEFAULT)
