"""Each of Kafka's settings is ours, ignored or refused, and only one of these."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from godel.config.broker import BrokerConfig
from godel.config.kafka_keys import (
    ALIASES,
    HARMLESS_VALUES,
    IGNORED,
    IGNORED_NAMES,
    NOTHING_ASKED,
    REFUSED,
    is_kafkas,
    refusal,
    why_ignored,
)
from godel.config.setting import ValueType
from godel.config.sources import ConfigError, from_flags, load

TABLE = Path(__file__).parent / "kafka_4_3_settings.tsv"
"""What KafkaConfig of release 4.3.1 declares, and how DynamicBrokerConfig lets it be changed."""

with TABLE.open(encoding="utf-8", newline="") as lines:
    KAFKA = {row["name"]: row for row in csv.DictReader(lines, delimiter="\t")}

OURS = {
    "auto.create.topics.linger.ms",
    "log.read.verify",
    "metrics.listener",
    "slow.request.log.ms",
    "write.caching",
}
"""Not Kafka's."""

OTHER_TYPES = {"listener.security.protocol.map": "a list that Kafka parses by itself"}
OTHER_DEFAULTS = {
    "listeners": "on this machine only",
    "log.dir": "beside the broker",
    "node.id": "Kafka has none",
    "log.cleaner.io.max.bytes.per.second": "the same number, written in Python",
}
NOT_CHANGED_LIVE = {
    "listeners": "one listener, bound at the start",
    "listener.security.protocol.map": "one listener, bound at the start",
}


def test_a_name_has_one_fate() -> None:
    fates = [set(BrokerConfig.SETTINGS), set(IGNORED), set(REFUSED), set(ALIASES)]
    fates.append(set(HARMLESS_VALUES))
    assert sum(map(len, fates)) == len(set().union(*fates))
    assert sum(len(names.split()) for names in IGNORED_NAMES.values()) == len(IGNORED)
    assert set(ALIASES.values()) <= set(BrokerConfig.SETTINGS)


def test_every_setting_of_kafka_is_followed_ignored_or_refused_with_a_reason() -> None:
    for name in KAFKA:
        if name not in BrokerConfig.SETTINGS and name not in ALIASES:
            assert is_kafkas(name), name
            assert (refusal(name, "something") or why_ignored(name)) != NOTHING_ASKED, name


def test_a_file_that_writes_out_kafkas_default_is_not_refused() -> None:
    """But for classes of its own, which nobody writes out."""
    refused = {}
    for name, row in KAFKA.items():
        value = row["default"]
        if name == "broker.id" or value in ("null", "<none>", "") or ".common.security." in value:
            continue
        try:
            load(from_flags([(name, value)]))
        except ConfigError as error:
            refused[name] = str(error)
    assert refused == {}


def test_we_know_what_is_ours() -> None:
    assert set(BrokerConfig.SETTINGS) - set(KAFKA) == OURS


def test_what_we_have_is_declared_as_kafka_declares_it() -> None:
    for name in set(BrokerConfig.SETTINGS) & set(KAFKA):
        ours, kafka = BrokerConfig.SETTINGS[name], KAFKA[name]
        if name not in OTHER_TYPES:
            assert ours.type is ValueType[kafka["type"]], name
        if name not in OTHER_DEFAULTS:
            assert (ours.default_text or "") == kafka["default"].replace("null", ""), name
        if name not in NOT_CHANGED_LIVE:
            mode = kafka["update_mode"]
            assert ours.dynamic == (mode != "read-only"), name
            assert not ours.dynamic or ours.cluster_wide == (mode == "cluster-wide"), name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("authorizer.class.name", "x.Y"),
        ("super.users", "User:admin"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        ("sasl.jaas.config", "x"),
        ("ssl.keystore.location", "/k"),
        ("ssl.truststore.certificates", "x"),
        ("ssl.client.auth", "required"),
        ("listener.name.outside.ssl.keystore.location", "/k"),
        ("security.inter.broker.protocol", "SSL"),
        ("allow.everyone.if.no.acl.found", "false"),
        ("process.roles", "controller"),
        ("remote.log.storage.system.enable", "true"),
        ("host.name", "localhost"),
        ("min.insync.replicas", "2"),
        ("default.replication.factor", "3"),
    ],
)
def test_what_is_unsafe_to_ignore_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load(from_flags([(key, value)]))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("authorizer.class.name", ""),
        ("security.inter.broker.protocol", "plaintext"),
        ("process.roles", "broker, controller"),
        ("ssl.client.auth", "none"),
        ("ssl.enabled.protocols", "TLSv1.3"),
        ("offsets.topic.replication.factor", "3"),
        ("transaction.state.log.min.isr", "2"),
        ("metric.reporters", "org.example.Reporter"),
        ("log4j.rootLogger", "INFO"),
        ("confluent.support.metrics.enable", "false"),
        ("zookeeper.connect", "localhost:2181"),
        ("inter.broker.protocol.version", "3.9"),
    ],
)
def test_what_is_harmless_is_not(key: str, value: str) -> None:
    load(from_flags([(key, value)]))


def test_a_name_of_nobodys_is_not_kafkas() -> None:
    assert not is_kafkas("log.retention.days")
