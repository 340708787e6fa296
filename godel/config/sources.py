"""Where a broker's settings come from: flags over environment over a properties file over defaults.

The caller reads the file and the environment; this module only takes text. Every value remembers
its source. All mistakes are collected, so that one start shows them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from godel.config.broker import BrokerConfig
from godel.config.kafka_keys import (
    ALIASES,
    HARMLESS_VALUES,
    IGNORED,
    NO_SECURITY,
    REFUSED,
    is_kafkas,
    refusal,
    why_ignored,
)
from godel.config.listener import parse_listener, parse_listeners
from godel.config.properties import InvalidProperties, parse_properties
from godel.config.setting import InvalidValue, Value

ENVIRONMENT_PREFIX = "GODEL_BROKER_"
MASK = "[hidden]"
AddProblem: TypeAlias = Callable[[str, str], None]
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class Given(NamedTuple):
    """A setting as somebody wrote it. `source`: "file PATH line N", "environment NAME", "flag"."""

    key: str
    value: str
    source: str


class Problem(NamedTuple):
    """One mistake: where it stands and what to do about it."""

    key: str
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.key} ({self.source}): {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used. The text has one line per problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ListedSetting(NamedTuple):
    """One line of `godel-broker config`."""

    key: str
    value: str
    source: str
    has_effect: bool
    doc: str


class Loaded(NamedTuple):
    """A usable configuration, the source of each value that was given, and what was ignored."""

    config: BrokerConfig
    sources: Mapping[str, str]
    ignored: tuple[Given, ...]

    def ignored_by_reason(self) -> dict[str, list[str]]:
        """The names of what was ignored, by the reason."""
        names: dict[str, list[str]] = {}
        for given in self.ignored:
            names.setdefault(why_ignored(given.key), []).append(given.key)
        return {reason: sorted(each) for reason, each in names.items()}

    def without_effect(self) -> list[str]:
        """The names of what was given and is kept and shown, but followed by nothing here."""
        return sorted(name for name in self.sources if not BrokerConfig.SETTINGS[name].effect)

    def listing(self) -> list[ListedSetting]:
        """Every setting with its value and source; sensitive values are hidden."""
        lines: list[ListedSetting] = []
        for name, declared in sorted(BrokerConfig.SETTINGS.items()):
            shown = declared.format(self.config.value(name))
            if shown is None:
                shown = ""
            elif declared.sensitive:
                shown = MASK
            source = self.sources.get(name, "default")
            lines.append(ListedSetting(name, shown, source, declared.effect, declared.doc))
        return lines


def from_properties(text: str, path: str) -> list[Given]:
    """A properties file. Raises `ConfigError` for text that is none."""
    try:
        entries = parse_properties(text)
    except InvalidProperties as error:
        raise ConfigError([Problem("the file", f"file {path}", str(error))]) from None
    return [
        Given(entry.key, entry.value, f"file {path} line {entry.line}")
        for entry in entries
        if entry.key
    ]


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """The variables that begin with GODEL_BROKER_: the key in capitals, dots as underscores."""
    by_variable = {variable_of(key): key for key in _known_keys()}
    given: list[Given] = []
    for variable, value in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        guessed = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", ".")
        key = by_variable.get(variable, guessed)
        given.append(Given(key, value, f"environment {variable}"))
    return given


def from_flags(pairs: Iterable[tuple[str, str]], source: str = "flag --set") -> list[Given]:
    """Keys and values of the command line."""
    return [Given(key, value, source) for key, value in pairs]


def variable_of(key: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT_PREFIX + key.upper().replace(".", "_")


def load(*layers: Iterable[Given]) -> Loaded:
    """The configuration of several layers, the strongest first. Raises `ConfigError`."""
    problems: list[Problem] = []
    winning: dict[str, Given] = {}
    ignored: dict[str, Given] = {}
    for layer in reversed(layers):
        for given in layer:
            key = ALIASES.get(given.key, given.key)
            if key in BrokerConfig.SETTINGS:
                winning[key] = given._replace(key=key)
            elif not is_kafkas(key):
                problems.append(Problem(key, given.source, unknown_key(key)))
            else:
                ignored[key] = given
    problems += [
        Problem(given.key, given.source, f"refused: {reason}")
        for given in ignored.values()
        if (reason := refusal(given.key, given.value)) is not None
    ]
    controller_names = ignored.get("controller.listener.names")
    winning = _without_controller(winning, controller_names.value if controller_names else "")
    sources = {key: given.source for key, given in winning.items()}
    # What is wrong by itself is left out here, so that what does not fit together is told, too.
    config = BrokerConfig.of_parsed(_parsed(winning, problems))
    problems += check_broker(config, sources)
    if problems:
        raise ConfigError(problems)
    return Loaded(config, sources, tuple(ignored.values()))


def unknown_key(key: str) -> str:
    """What to say about a name that neither this broker nor Kafka knows."""
    import difflib

    nearest = difflib.get_close_matches(key, _known_keys(), n=1, cutoff=0.6)
    return f"unknown setting; did you mean {nearest[0]}?" if nearest else "unknown setting"


def _known_keys() -> list[str]:
    return [*BrokerConfig.SETTINGS, *ALIASES, *IGNORED, *REFUSED, *HARMLESS_VALUES]


def _parsed(winning: Mapping[str, Given], problems: list[Problem]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, given in winning.items():
        declared = BrokerConfig.SETTINGS[key]
        try:
            values[declared.attribute] = declared.parse(given.value)
        except InvalidValue as error:
            problems.append(Problem(key, given.source, str(error)))
    return values


def _without_controller(winning: dict[str, Given], names: str) -> dict[str, Given]:
    """Leave out the listeners that a KRaft file has for its controller: we have none."""
    dropped = {name.strip().upper() for name in names.split(",") if name.strip()}
    if not dropped:
        return winning
    kept = dict(winning)
    for key in ("listeners", "advertised.listeners"):
        given = kept.get(key)
        if given is not None:
            parts = [part.strip() for part in given.value.split(",")]
            remaining = [part for part in parts if part.split(":")[0].upper() not in dropped]
            kept[key] = given._replace(value=",".join(remaining))
    return kept


def check_broker(config: BrokerConfig, sources: Mapping[str, str]) -> list[Problem]:
    """What no single setting can tell: listeners and directories that fit together."""
    problems: list[Problem] = []

    def add(key: str, message: str) -> None:
        problems.append(Problem(key, sources.get(key, "default"), message))

    _check_directories(config, add)
    if config.group_min_session_timeout_ms > config.group_max_session_timeout_ms:
        add("group.min.session.timeout.ms", "must not be above group.max.session.timeout.ms")
    _check_replicas(config, add)
    _check_listeners(config, add)
    _check_metrics_listener(config, add)
    return problems


def _check_directories(config: BrokerConfig, add: AddProblem) -> None:
    paths = config.data_directories
    key = "log.dir" if config.log_dirs is None else "log.dirs"
    if not paths or not all(paths):
        add(key, "name a directory")
    if len(set(paths)) < len(paths):
        add(key, "a directory is named twice")
    if config.metadata_log_dir is not None and config.metadata_log_dir not in paths:
        add("metadata.log.dir", f"must be one of the data directories: {', '.join(paths)}")


def _check_replicas(config: BrokerConfig, add: AddProblem) -> None:
    """What asks of every topic that it has several replicas. Where a topic asks, Kafka's errors do.

    Internal topics are made with as many replicas as there are brokers.
    """
    if config.default_replication_factor > 1:
        add(
            "default.replication.factor",
            "there is one broker, so a topic cannot have more than one replica: use 1",
        )
    if config.min_insync_replicas > 1:
        add(
            "min.insync.replicas",
            "there is one broker, so acks=all could never be answered: use 1;"
            " it waits for the disk instead (write.caching)",
        )


def _check_listeners(config: BrokerConfig, add: AddProblem) -> None:
    names: set[str] = set()
    try:
        listeners = parse_listeners(config.listeners)
        names = {listener.name for listener in listeners}
        if not listeners:
            add("listeners", "name at least one, as PLAINTEXT://127.0.0.1:9092")
        if len(listeners) > 1:
            add("listeners", "this broker listens on one address so far; name exactly one")
    except InvalidValue as error:
        add("listeners", str(error))
        return
    protocols = {name: name for name in PROTOCOLS}
    for entry in config.listener_security_protocol_map:
        name, _, protocol = entry.partition(":")
        if protocol.upper() not in PROTOCOLS:
            add("listener.security.protocol.map", f"{entry!r} is not NAME:PROTOCOL")
            continue
        protocols[name.upper()] = protocol.upper()
    for name in sorted(names):
        protocol = protocols.get(name, "")
        if not protocol:
            add("listeners", f"listener.security.protocol.map does not say what {name} speaks")
        elif protocol != "PLAINTEXT":
            add("listeners", f"{name} asks for {protocol}, but {NO_SECURITY}")
    _check_advertised(config, names, add)


def _check_metrics_listener(config: BrokerConfig, add: AddProblem) -> None:
    if config.metrics_listener:
        try:
            parse_listener(config.metrics_listener)
        except InvalidValue as error:
            add("metrics.listener", str(error).replace("NAME://", ""))


def _check_advertised(config: BrokerConfig, names: set[str], add: AddProblem) -> None:
    key = "advertised.listeners"
    if config.advertised_listeners is None:
        return
    try:
        advertised = parse_listeners(config.advertised_listeners)
    except InvalidValue as error:
        add(key, str(error))
        return
    for listener in advertised:
        if listener.name not in names:
            add(key, f"{listener.name} is not the name of one of the listeners")
        if listener.is_wildcard:
            add(key, f"clients cannot connect to {listener.host!r}; give a host name or address")
