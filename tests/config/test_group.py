"""A group's settings and their bounds."""

from __future__ import annotations

import pytest

from godel.config.group import GroupConfig, check_group_overrides
from godel.config.setting import InvalidValue


def test_defaults_are_kafkas() -> None:
    config = GroupConfig()
    assert (config.consumer_session_timeout_ms, config.consumer_heartbeat_interval_ms) == (
        45_000,
        5000,
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"nope": "1"}, "Unknown group config name"),
        ({"consumer.session.timeout.ms": "1"}, "at least 45000"),
        ({"consumer.session.timeout.ms": None}, "Null value"),
    ],
)
def test_bad_overrides_are_refused(overrides: dict[str, str | None], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        check_group_overrides(overrides)


def test_good_overrides_pass() -> None:
    check_group_overrides({"consumer.session.timeout.ms": "50000"})
