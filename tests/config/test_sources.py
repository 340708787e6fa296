"""Precedence, sources, and every mistake told at once."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godel.config.sources import (
    ConfigError,
    Given,
    from_environment,
    from_flags,
    from_properties,
    load,
    variable_of,
)


def problems(*layers: list[Given]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as error:
        load(*layers)
    return [(problem.key, problem.message) for problem in error.value.problems]


def test_nothing_given_is_fine() -> None:
    loaded = load()
    assert loaded.config.num_partitions == 1
    assert loaded.sources == {}


def test_the_strongest_layer_wins_and_is_named() -> None:
    file = from_properties("num.partitions=2\nfetch.max.bytes=2000\nnode.id=7", "b.properties")
    environment = from_environment(
        {"GODEL_BROKER_NUM_PARTITIONS": "3", "GODEL_BROKER_FETCH_MAX_BYTES": "3000", "PATH": "x"}
    )
    loaded = load(from_flags([("num.partitions", "4")]), environment, file)
    config = loaded.config
    assert (config.num_partitions, config.fetch_max_bytes, config.node_id) == (4, 3000, 7)
    assert loaded.sources == {
        "num.partitions": "flag --set",
        "fetch.max.bytes": "environment GODEL_BROKER_FETCH_MAX_BYTES",
        "node.id": "file b.properties line 3",
    }


def test_the_last_line_of_a_file_wins() -> None:
    loaded = load(from_properties("node.id=1\nnode.id=2", "f"))
    assert (loaded.config.node_id, loaded.sources["node.id"]) == (2, "file f line 2")


def test_a_broken_file_is_one_problem() -> None:
    with pytest.raises(ConfigError, match=r"file f.*line 1"):
        from_properties("a=\\u1", "f")


def test_unknown_keys_are_refused_with_the_nearest_name() -> None:
    found = problems(from_flags([("log.retention.mss", "1"), ("zzz", "1")]))
    assert found == [
        ("log.retention.mss", "unknown setting; did you mean log.retention.ms?"),
        ("zzz", "unknown setting"),
    ]
    (wrong,) = problems(from_environment({"GODEL_BROKER_NUM_PARTITION": "1"}))
    assert wrong == ("num.partition", "unknown setting; did you mean num.partitions?")


def test_all_mistakes_are_told_at_once_with_their_source() -> None:
    file = from_properties("num.partitions=x\nnope.nope=1\nauthorizer.class.name=x.Y", "f")
    with pytest.raises(ConfigError) as error:
        load(from_flags([("node.id", "-1")]), file)
    assert str(error.value).count("\n") == 3
    for source in ("flag --set", "file f line 1", "file f line 2", "file f line 3"):
        assert source in str(error.value)


def test_kafkas_keys_are_ignored_and_listed() -> None:
    loaded = load(from_properties("process.roles=broker\nnum.partitions=2", "f"))
    assert [each.key for each in loaded.ignored] == ["process.roles"]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("authorizer.class.name", "x.Y", "access control"),
        ("ssl.keystore.location", "/k", "TLS"),
        ("sasl.enabled.mechanisms", "PLAIN", "authentication"),
        ("security.inter.broker.protocol", "SSL", "TLS"),
        ("create.topic.policy.class.name", "x.Y", "policy"),
        ("listeners", "SSL://localhost:9093", "TLS"),
        ("listeners", "OUTSIDE://localhost:9093", "listener.security.protocol.map"),
        ("listeners", "", "name at least one"),
        ("listeners", "nonsense", "HOST:PORT"),
        ("listeners", "PLAINTEXT://h:1,PLAINTEXT2://h:2", "one address"),
        ("log.dirs", "/a,/b,/a", "named twice"),
        ("metadata.log.dir", "/m", "one of the data directories"),
        ("log.dir", "", "name a directory"),
        ("advertised.listeners", "PLAINTEXT://0.0.0.0:9092", "cannot connect"),
        ("advertised.listeners", "X://h:9092", "not the name"),
        ("advertised.listeners", "nonsense", "HOST:PORT"),
        ("metrics.listener", "9308", "is not HOST:PORT"),
        ("metrics.listener", "127.0.0.1:99999", "at most 65535"),
        ("slow.request.log.ms", "-2", "at least -1"),
        ("listener.security.protocol.map", "PLAINTEXT", "NAME:PROTOCOL"),
        ("group.min.session.timeout.ms", "2000000", "must not be above"),
    ],
)
def test_what_cannot_be_honoured_is_refused(key: str, value: str, reason: str) -> None:
    found = problems(from_flags([(key, value)]))
    assert all(name == key for name, _ in found)
    assert reason in " ".join(message for _, message in found)


PUBLISHED = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,\\
    SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""
"""The settings of the file that Apache Kafka 4 comes with, for broker and controller in one."""


def test_the_file_that_kafka_comes_with_works_unchanged() -> None:
    loaded = load(from_properties(PUBLISHED, "server.properties"))
    config = loaded.config
    assert config.listeners == ("PLAINTEXT://:9092",)
    assert config.advertised_listeners == ("PLAINTEXT://localhost:9092",)
    assert config.data_directories == ("/tmp/kraft-combined-logs",)
    ignored = loaded.ignored_by_reason()
    assert sorted(name for names in ignored.values() for name in names) == [
        "controller.listener.names",
        "controller.quorum.bootstrap.servers",
        "process.roles",
        "share.coordinator.state.topic.min.isr",
        "share.coordinator.state.topic.replication.factor",
    ]
    assert "num.io.threads" in loaded.without_effect()
    assert "num.partitions" not in loaded.without_effect()


PRODUCTION = """
process.roles=broker
node.id=4
controller.quorum.voters=1@c1:9093,2@c2:9093,3@c3:9093
controller.listener.names=CONTROLLER
listeners=SASL_SSL://0.0.0.0:9092
advertised.listeners=SASL_SSL://kafka-4.example.org:9092
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SASL_SSL
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.example.Login required;
ssl.keystore.location=/etc/kafka/keystore.p12
ssl.keystore.password=secret
ssl.keystore.type=PKCS12
ssl.truststore.location=/etc/kafka/truststore.p12
ssl.client.auth=none
ssl.enabled.protocols=TLSv1.3
ssl.endpoint.identification.algorithm=
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin
broker.rack=eu-1a
log.dirs=/data/1,/data/2
num.network.threads=8
num.io.threads=16
num.replica.fetchers=4
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
replica.lag.time.max.ms=30000
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
unclean.leader.election.enable=false
auto.create.topics.enable=false
delete.topic.enable=true
controlled.shutdown.enable=true
log.retention.hours=72
log.cleaner.threads=2
compression.type=producer
message.max.bytes=10485760
replica.fetch.max.bytes=10485760
group.initial.rebalance.delay.ms=3000
metric.reporters=org.apache.kafka.common.metrics.JmxReporter
kafka.metrics.reporters=org.example.Reporter
confluent.metrics.reporter.bootstrap.servers=localhost:9092
log4j.rootLogger=INFO
"""
"""A broker of a cluster that is looked after, as such files are found."""

REFUSED = {
    "listeners": "SASL_SSL",
    "sasl.enabled.mechanisms": "no authentication",
    "sasl.mechanism.inter.broker.protocol": "no authentication",
    "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": "no listener has settings",
    "ssl.keystore.location": "no TLS",
    "ssl.keystore.password": "no TLS",
    "ssl.truststore.location": "no TLS",
    "authorizer.class.name": "no access control",
    "super.users": "no access control",
    "default.replication.factor": "more than one replica",
    "min.insync.replicas": "acks=all could never be answered",
}


def test_a_file_from_production_is_refused_key_by_key() -> None:
    refused = dict(problems(from_properties(PRODUCTION, "server.properties")))
    assert refused.keys() == REFUSED.keys()
    for key, reason in REFUSED.items():
        assert reason in refused[key]


def test_what_is_left_of_it_works() -> None:
    kept = [line for line in PRODUCTION.splitlines() if line.partition("=")[0] not in REFUSED]
    text = "\n".join(kept).replace(
        "advertised.listeners=SASL_SSL", "advertised.listeners=PLAINTEXT"
    )
    loaded = load(from_properties(text, "server.properties"))
    assert loaded.config.message_max_bytes == 10_485_760
    assert loaded.ignored_by_reason() == {
        "this broker is its own controller, and keeps metadata in a database": [
            "controlled.shutdown.enable",
            "controller.listener.names",
            "controller.quorum.voters",
        ],
        "this value asks for nothing that is not here": ["process.roles", "ssl.client.auth"],
        "it tunes authentication or TLS, and there is neither yet": [
            "ssl.enabled.protocols",
            "ssl.endpoint.identification.algorithm",
            "ssl.keystore.type",
        ],
        "one broker has nothing to replicate": [
            "replica.fetch.max.bytes",
            "replica.lag.time.max.ms",
            "replica.selector.class",
        ],
        "there is no JMX here; metrics are where metrics.listener says": [
            "kafka.metrics.reporters",
            "metric.reporters",
        ],
        "it belongs to a plugin of Confluent's, and this broker cannot run Java classes": [
            "confluent.metrics.reporter.bootstrap.servers",
        ],
        "it belongs to Kafka's logging; this broker writes JSON lines to standard error": [
            "log4j.rootLogger",
        ],
    }


def test_a_name_for_plaintext_works() -> None:
    loaded = load(
        from_flags(
            [
                ("listeners", "INSIDE://127.0.0.1:1"),
                ("listener.security.protocol.map", "INSIDE:PLAINTEXT"),
                ("broker.id", "5"),
            ]
        )
    )
    assert loaded.config.listeners == ("INSIDE://127.0.0.1:1",)
    assert loaded.config.node_id == 5


def test_the_listing_has_every_setting_with_its_source() -> None:
    loaded = load(from_flags([("num.partitions", "4")]))
    lines = {line.key: line for line in loaded.listing()}
    assert lines.keys() == type(loaded.config).SETTINGS.keys()
    assert lines["num.partitions"][1:3] == ("4", "flag --set")
    assert lines["node.id"][1:3] == ("1", "default")
    assert lines["log.dirs"].value == ""
    assert not lines["num.io.threads"].has_effect


def test_every_key_has_its_own_variable() -> None:
    keys = type(load().config).SETTINGS
    assert len({variable_of(key) for key in keys}) == len(keys)


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30), max_size=4))
def test_any_input_loads_or_is_a_config_error(pairs: dict[str, str]) -> None:
    with contextlib.suppress(ConfigError):
        load(from_flags(pairs.items()))
