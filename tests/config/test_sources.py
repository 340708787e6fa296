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


def test_a_kraft_file_of_kafka_works() -> None:
    text = """
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
    log.dirs=/tmp/kraft-combined-logs
    offsets.topic.replication.factor=1
    log.retention.hours=168
    """
    config = load(from_properties(text, "server.properties")).config
    assert config.listeners == ("PLAINTEXT://:9092",)
    assert config.advertised_listeners == ("PLAINTEXT://localhost:9092",)
    assert config.data_directories == ("/tmp/kraft-combined-logs",)


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
