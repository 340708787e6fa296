"""Every setting, declared once: the broker's, a topic's, a group's."""

from __future__ import annotations

from godel.config.broker import BrokerConfig
from godel.config.group import GroupConfig, check_group_overrides
from godel.config.setting import InvalidValue, Setting, ValueType
from godel.config.topic import TopicConfig, check_topic_overrides, topic_config

__all__ = [
    "BrokerConfig",
    "GroupConfig",
    "InvalidValue",
    "Setting",
    "TopicConfig",
    "ValueType",
    "check_group_overrides",
    "check_topic_overrides",
    "topic_config",
]
