"""What tunes an absent feature is a number, can be changed live, and is declared nowhere else."""

from __future__ import annotations

from godel.config.absent_features import AbsentFeatures
from godel.config.broker import BrokerConfig
from godel.config.kafka_keys import refusal


def test_only_numbers_without_effect_that_kafka_changes_live() -> None:
    for name, declared in AbsentFeatures.SETTINGS.items():
        assert isinstance(declared.default, int | float), name
        assert declared.dynamic, name
        assert not declared.effect, name
        assert BrokerConfig.SETTINGS[name] is declared


def test_what_would_promise_safety_stays_refused() -> None:
    for key in ("sasl.enabled.mechanisms", "sasl.jaas.config", "ssl.client.auth"):
        assert key not in BrokerConfig.SETTINGS
        assert refusal(key, "x")
