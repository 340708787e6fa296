"""Each of Kafka's settings is ours, ignored or refused, and only one of these."""

from __future__ import annotations

from godel.config.broker import BrokerConfig
from godel.config.kafka_keys import (
    ALIASES,
    HARMLESS_VALUES,
    IGNORED,
    REFUSED,
    is_kafkas,
    refusal,
)


def test_a_name_has_one_fate() -> None:
    ours = set(BrokerConfig.SETTINGS)
    assert not ours & IGNORED
    assert not ours & (set(REFUSED) | set(ALIASES))
    assert not IGNORED & set(REFUSED)
    assert set(ALIASES.values()) <= ours
    assert not ours & set(HARMLESS_VALUES)


def test_kafka_knows_them() -> None:
    for key in ("process.roles", "ssl.keystore.location", "listener.name.x.ssl.key.password"):
        assert is_kafkas(key)
    assert not is_kafkas("log.retention.days")


def test_what_is_unsafe_to_ignore_is_refused() -> None:
    assert refusal("authorizer.class.name", "x.Y")
    assert refusal("sasl.enabled.mechanisms", "PLAIN")
    assert refusal("security.inter.broker.protocol", "SSL")
    assert refusal("allow.everyone.if.no.acl.found", "false")


def test_what_is_harmless_is_not() -> None:
    assert refusal("authorizer.class.name", "") is None
    assert refusal("security.inter.broker.protocol", "plaintext") is None
    assert refusal("process.roles", "broker") is None
