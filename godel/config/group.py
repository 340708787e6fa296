"""A consumer group's settings (KIP-848, resource type 32 of the config APIs).

They are stored and shown; classic groups, the only ones so far, do not read them.
"""

from collections.abc import Mapping

from godel.config.setting import Config, InvalidValue, ValueType, setting


class GroupConfig(Config):
    """What may be set for one group."""

    consumer_session_timeout_ms: int = setting(
        "consumer.session.timeout.ms",
        45_000,
        "The session of a member of a KIP-848 group.",
        type=ValueType.INT,
        broker_name="group.consumer.session.timeout.ms",
        minimum=45_000,
        maximum=60_000,
        effect=False,
    )
    consumer_heartbeat_interval_ms: int = setting(
        "consumer.heartbeat.interval.ms",
        5000,
        "How often a member of a KIP-848 group reports.",
        type=ValueType.INT,
        broker_name="group.consumer.heartbeat.interval.ms",
        minimum=5000,
        maximum=15_000,
        effect=False,
    )


def check_group_overrides(overrides: Mapping[str, str | None]) -> None:
    """Refuse what a group cannot be given. Raises `InvalidValue`."""
    for name, text in overrides.items():
        declared = GroupConfig.SETTINGS.get(name)
        if declared is None:
            raise InvalidValue(f"Unknown group config name: {name}")
        if text is None:
            raise InvalidValue(f"Null value not supported for group configs: {name}")
        declared.parse(text)
