"""Settings as DescribeConfigs shows them: value, source, and the synonyms it was chosen from.

The synonyms of a setting are what each name says at each level, the strongest first: the topic's
or group's own value, then per level (this broker's live change, the cluster's, the start, the
default) the broker's setting and those that stand in for it. As in Kafka's `ConfigHelper`, the list
begins at the setting's own name: a value that only a stand-in has is not explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from godel.config.broker import BrokerConfig
from godel.config.group import GroupConfig
from godel.config.setting import Setting, ValueType
from godel.config.topic import TopicConfig

Texts = Mapping[str, str]


class Source(IntEnum):
    """Kafka's `ConfigSource`."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    GROUP = 8


class Synonym(NamedTuple):
    """What one name says at one level."""

    name: str
    value: str | None
    source: Source


class ConfigEntry(NamedTuple):
    """One setting of a resource. Sensitive values are None."""

    name: str
    value: str | None
    source: Source
    read_only: bool
    is_sensitive: bool
    type: ValueType
    synonyms: tuple[Synonym, ...]
    documentation: str


class BrokerLevels(NamedTuple):
    """Where a broker's value may come from."""

    static: Texts
    """What the broker was started with (`Config.given`)."""
    cluster: Texts
    """Live changes for all brokers."""
    broker: Texts
    """Live changes for this one."""
    now: BrokerConfig
    """What all of it comes to."""

    def synonyms(self, declared: Setting) -> tuple[Synonym, ...]:
        """Every level and name that has a value, from the setting's own name on."""
        levels = (
            (Source.DYNAMIC_BROKER, self.broker),
            (Source.DYNAMIC_DEFAULT, self.cluster),
            (Source.STATIC_BROKER, self.static),
            (Source.DEFAULT, _defaults(declared.synonyms)),
        )
        found = [
            Synonym(name, _shown(BrokerConfig.SETTINGS[name], texts[name]), source)
            for source, texts in levels
            for name in declared.synonyms
            if name in texts
        ]
        while found and found[0].name != declared.name:
            del found[0]
        return tuple(found)


def describe_topic(
    config: TopicConfig, overrides: Texts, levels: BrokerLevels, names: Iterable[str] | None
) -> list[ConfigEntry]:
    """A topic's settings; None: all."""
    return [
        _entry(declared, config.text(name), overrides.get(name), Source.TOPIC, levels)
        for name, declared in _chosen(TopicConfig.SETTINGS, names)
    ]


def describe_group(
    overrides: Texts, levels: BrokerLevels, names: Iterable[str] | None
) -> list[ConfigEntry]:
    """A group's settings; None: all."""
    config = GroupConfig.of_parsed({}).replaced(overrides)
    return [
        _entry(declared, config.text(name), overrides.get(name), Source.GROUP, levels)
        for name, declared in _chosen(GroupConfig.SETTINGS, names)
    ]


def describe_broker(levels: BrokerLevels, names: Iterable[str] | None) -> list[ConfigEntry]:
    """This broker's settings; None: all."""
    entries: list[ConfigEntry] = []
    for name, declared in _chosen(BrokerConfig.SETTINGS, names):
        synonyms = levels.synonyms(declared)
        entries.append(
            ConfigEntry(
                name=name,
                value=_shown(declared, levels.now.text(name)),
                source=synonyms[0].source if synonyms else Source.DEFAULT,
                read_only=not declared.dynamic,
                is_sensitive=declared.sensitive,
                type=declared.type,
                synonyms=synonyms,
                documentation=declared.doc,
            )
        )
    return entries


def describe_cluster_default(cluster: Texts, names: Iterable[str] | None) -> list[ConfigEntry]:
    """What was set for all brokers: only that, as Kafka does."""
    entries: list[ConfigEntry] = []
    for name, declared in _chosen(BrokerConfig.SETTINGS, names):
        if name in cluster:
            value = _shown(declared, cluster[name])
            entries.append(
                ConfigEntry(
                    name=name,
                    value=value,
                    source=Source.DYNAMIC_DEFAULT,
                    read_only=not declared.dynamic,
                    is_sensitive=declared.sensitive,
                    type=declared.type,
                    synonyms=(Synonym(name, value, Source.DYNAMIC_DEFAULT),),
                    documentation=declared.doc,
                )
            )
    return entries


def _entry(
    declared: Setting,
    value: str | None,
    override: str | None,
    own_source: Source,
    levels: BrokerLevels,
) -> ConfigEntry:
    """A setting of a topic or group, which the broker's settings stand behind."""
    synonyms: tuple[Synonym, ...] = ()
    if declared.broker_name is not None:
        synonyms = levels.synonyms(BrokerConfig.SETTINGS[declared.broker_name])
    if override is not None:
        synonyms = (Synonym(declared.name, _shown(declared, override), own_source), *synonyms)
    return ConfigEntry(
        name=declared.name,
        value=_shown(declared, value),
        source=synonyms[0].source if synonyms else Source.DEFAULT,
        read_only=False,
        is_sensitive=declared.sensitive,
        type=declared.type,
        synonyms=synonyms,
        documentation=declared.doc,
    )


def _chosen(
    settings: Mapping[str, Setting], names: Iterable[str] | None
) -> Iterable[tuple[str, Setting]]:
    if names is None:
        return settings.items()
    return [(name, settings[name]) for name in dict.fromkeys(names) if name in settings]


def _defaults(names: Iterable[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name in names:
        text = BrokerConfig.SETTINGS[name].default_text
        if text is not None:
            texts[name] = text
    return texts


def _shown(declared: Setting, text: str | None) -> str | None:
    return None if declared.sensitive else text
