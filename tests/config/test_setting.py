"""Parsing, bounds and the declarations themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from godel.config.broker import BrokerConfig
from godel.config.group import GroupConfig
from godel.config.setting import Config, InvalidValue, Setting, ValueType, setting
from godel.config.topic import TopicConfig


def of(type: ValueType, **more: object) -> Setting:
    return Setting("some.key", type, None, "A doc.", **more)  # type: ignore[arg-type]  # test only


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        (ValueType.BOOLEAN, " TRUE ", True),
        (ValueType.BOOLEAN, "false", False),
        (ValueType.INT, " +12 ", 12),
        (ValueType.LONG, "-9223372036854775808", -(2**63)),
        (ValueType.SHORT, "32767", 32767),
        (ValueType.DOUBLE, "1e-2", 0.01),
        (ValueType.LIST, "", ()),
        (ValueType.LIST, " a , b ", ("a", "b")),
        (ValueType.STRING, " x ", "x"),
        (ValueType.PASSWORD, "secret", "secret"),
    ],
)
def test_texts_become_values(type: ValueType, text: str, value: object) -> None:
    assert of(type).parse(text) == value


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (ValueType.BOOLEAN, "yes"),
        (ValueType.BOOLEAN, ""),
        (ValueType.INT, "2147483648"),
        (ValueType.LONG, "9223372036854775808"),
        (ValueType.SHORT, "-32769"),
        (ValueType.INT, "1_000"),
        (ValueType.INT, "٣"),
        (ValueType.INT, ""),
        (ValueType.INT, "1.0"),
        (ValueType.INT, "9" * 5000),
        (ValueType.DOUBLE, "x"),
        (ValueType.DOUBLE, "1_0"),
        (ValueType.DOUBLE, "nan"),
    ],
)
def test_nonsense_is_refused(type: ValueType, text: str) -> None:
    with pytest.raises(InvalidValue, match=r"some\.key"):
        of(type).parse(text)


def test_bounds_and_choices_have_their_message() -> None:
    bounded = of(ValueType.INT, minimum=1, maximum=5)
    assert bounded.parse("5") == 5
    with pytest.raises(InvalidValue, match="at least 1"):
        bounded.parse("0")
    with pytest.raises(InvalidValue, match="no more than 5"):
        bounded.parse("6")
    chosen = of(ValueType.LIST, choices=("compact", "delete"))
    assert chosen.parse("delete,compact") == ("delete", "compact")
    with pytest.raises(InvalidValue, match="one of: compact, delete"):
        chosen.parse("delete,burn")
    only = of(ValueType.BOOLEAN, only=False)
    with pytest.raises(InvalidValue, match="only false"):
        only.parse("true")


def test_a_secret_is_not_repeated_in_the_message() -> None:
    with pytest.raises(InvalidValue) as error:
        of(ValueType.INT, sensitive=True).parse("hunter2")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("model", [BrokerConfig, TopicConfig, GroupConfig])
def test_declarations_are_whole(model: type[Config]) -> None:
    for name, declared in model.SETTINGS.items():
        assert declared.doc.endswith("."), f"{name}: say it in a sentence"
        declared.check(declared.default)
        text = declared.default_text
        if text is not None:
            assert declared.parse(text) == declared.default, name
        if declared.broker_name is not None:
            behind = BrokerConfig.SETTINGS[declared.broker_name]
            assert behind.type is declared.type, name
        for fallback, _ in declared.fallbacks:
            assert fallback in BrokerConfig.SETTINGS, name


@given(st.text())
def test_any_text_is_a_value_or_invalid(text: str) -> None:
    for declared in BrokerConfig.SETTINGS.values():
        try:
            value = declared.parse(text)
        except InvalidValue:
            continue
        again = declared.format(value)
        assert again is not None
        assert declared.parse(again) == value or declared.type is ValueType.LIST


def test_models_are_frozen_and_know_their_keys() -> None:
    config = BrokerConfig(num_partitions=3)
    with pytest.raises(ValidationError):
        config.num_partitions = 4  # type: ignore[misc]  # frozen is what is tested
    with pytest.raises(ValidationError, match="at least 1"):
        BrokerConfig(num_partitions=0)
    with pytest.raises(ValidationError):
        BrokerConfig(nonsense=1)  # type: ignore[call-arg]  # refused is what is tested
    assert config.value("num.partitions") == 3
    assert config.text("auto.create.topics.enable") == "true"
    assert dict(config.given()) == {"num.partitions": "3"}


def test_replaced_leaves_what_it_cannot_read() -> None:
    config = BrokerConfig(num_partitions=3)
    changed = config.replaced(
        {"log.retention.ms": "5", "message.max.bytes": "what", "future.key": "1"}
    )
    assert (changed.log_retention_ms, changed.num_partitions) == (5, 3)
    assert changed.message_max_bytes == config.message_max_bytes


def test_a_default_without_a_type_says_one() -> None:
    with pytest.raises(TypeError):
        setting("x", None, "No type.")


def test_a_stand_in_is_converted_and_keeps_minus_one() -> None:
    config = BrokerConfig(log_retention_hours=2)
    assert config.effective("log.retention.ms") == 7_200_000
    assert config.effective("log.retention.minutes") == 120
    assert BrokerConfig(log_retention_minutes=-1).effective("log.retention.ms") == -1
    both = BrokerConfig(log_retention_ms=1, log_retention_minutes=9)
    assert both.effective("log.retention.ms") == 1
    assert isinstance(both, Config)
