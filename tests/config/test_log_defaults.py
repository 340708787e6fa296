"""A topic's defaults and bounds agree with the broker's."""

from __future__ import annotations

from godel.config.log_defaults import LogDefaults
from godel.config.topic import TopicConfig


def test_a_topics_default_is_the_brokers() -> None:
    for name, declared in TopicConfig.SETTINGS.items():
        if declared.broker_name in LogDefaults.SETTINGS:
            behind = LogDefaults().effective(declared.broker_name)
            assert behind == declared.default, name


def test_limits_agree() -> None:
    for declared in TopicConfig.SETTINGS.values():
        if declared.broker_name in LogDefaults.SETTINGS:
            behind = LogDefaults.SETTINGS[declared.broker_name]
            assert (behind.minimum, behind.maximum) == (declared.minimum, declared.maximum)
            assert (behind.choices, behind.effect) == (declared.choices, declared.effect)


def test_what_stands_in_keeps_the_limits() -> None:
    for declared in LogDefaults.SETTINGS.values():
        for name, factor in declared.fallbacks:
            lowest = LogDefaults.SETTINGS[name].minimum
            assert lowest is not None, name
            assert declared.minimum is not None, declared.name
            assert (lowest * factor if lowest > 0 else lowest) >= declared.minimum, name
