"""`godel configs`: the settings of topics, groups and brokers, with source and documentation."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from godel.cli.completion import (
    group_names,
    setting_assignments,
    setting_names,
    topic_names,
)
from godel.cli.output import Section, columns
from godel.cli.session import DryRun, Session, command, key_values
from godel.client.cluster import Cluster
from godel.client.configs import (
    Config,
    Kind,
    Operation,
    Resource,
    alter_configs,
    describe_configs,
)
from godel.client.outcomes import NotFound

app = typer.Typer(no_args_is_help=True, help="Show and change settings of topics, groups, brokers.")

Topic = Annotated[
    str | None,
    typer.Option("--topic", "-t", help="The settings of a topic.", autocompletion=topic_names),
]
Group = Annotated[
    str | None,
    typer.Option("--group", "-g", help="The settings of a group.", autocompletion=group_names),
]
Broker = Annotated[
    int | None, typer.Option("--broker", metavar="ID", help="The settings of one broker.")
]
Brokers = Annotated[
    bool, typer.Option("--brokers", help="What is set for all brokers of the cluster.")
]
Configs = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="KEY=VALUE",
        help="A setting; may be repeated.",
        autocompletion=setting_assignments,
    ),
]
Unset = Annotated[
    list[str] | None,
    typer.Option(
        "--unset",
        metavar="KEY",
        help="Back to the default; may be repeated.",
        autocompletion=setting_names,
    ),
]
Keys = Annotated[
    list[str],
    typer.Argument(metavar="KEY", help="Settings by name.", autocompletion=setting_names),
]

SETTLING_MS, SETTLING_STEP_MS = 2_000, 50
BREAK = re.compile(r"</?(?:br|div|li|p|ol|ul)\b[^>]*>")
MARKUP = re.compile(r"</?(?:a|b|code|em|i|pre|strong)\b[^>]*>")

SHOWN = columns("name", "value", "source", "type", "read_only", "documentation")
SYNONYMS = columns("name", "value", "source")
ASSIGNMENT = re.compile(r"(?P<key>[^=]+?)(?P<sign>[+-]?)=(?P<value>.*)", re.DOTALL)
OPERATIONS = {"": Operation.SET, "+": Operation.APPEND, "-": Operation.SUBTRACT}


def resource(topic: str | None, group: str | None, broker: int | None, brokers: bool) -> Resource:
    """The one thing that the options name."""
    named = [
        *([] if topic is None else [Resource(Kind.TOPIC, topic)]),
        *([] if group is None else [Resource(Kind.GROUP, group)]),
        *([] if broker is None else [Resource(Kind.BROKER, str(broker))]),
        *([Resource(Kind.BROKER, "")] if brokers else []),
    ]
    if len(named) != 1:
        raise typer.BadParameter("say whose: one of --topic, --group, --broker or --brokers")
    return named[0]


def plain(documentation: str | None) -> str | None:
    """Apache Kafka's sentences are made for its web pages; other angle brackets are left alone."""
    if documentation is None:
        return None
    return html.unescape(" ".join(MARKUP.sub("", BREAK.sub(" ", documentation)).split()))


def row(config: Config) -> dict[str, Any]:
    return {
        "name": config.name,
        "value": "(hidden)" if config.is_sensitive else config.value,
        "source": config.source,
        "type": config.type,
        "read_only": config.is_read_only,
        "documentation": plain(config.documentation),
        "synonyms": [
            {"name": name, "value": value, "source": source}
            for name, value, source in config.synonyms
        ],
    }


@command(
    app,
    "list",
    "godel configs list --topic flights",
    "godel configs list --broker 1 --changed",
    "godel configs list --brokers --output json",
)
def list_(
    session: Session,
    *,
    topic: Topic = None,
    group: Group = None,
    broker: Broker = None,
    brokers: Brokers = False,
    changed: Annotated[
        bool, typer.Option("--changed", "-c", help="Only those that are not at their default.")
    ] = False,
) -> None:
    """List settings: what holds, and where it comes from."""
    whose = resource(topic, group, broker, brokers)
    configs = session.run(lambda cluster: describe_configs(cluster, whose))
    rows = [row(each) for each in configs if each.source != "default" or not changed]
    session.rows(rows, "name", "value", "source")


@command(
    app,
    "get",
    "godel configs get retention.ms --topic flights",
    "godel configs get log.retention.ms num.partitions --broker 1 --output yaml",
)
def get(
    session: Session,
    keys: Keys,
    *,
    topic: Topic = None,
    group: Group = None,
    broker: Broker = None,
    brokers: Brokers = False,
) -> None:
    """Show settings: value, source, what stands behind it, what it means."""
    whose = resource(topic, group, broker, brokers)
    configs = {
        each.name: each for each in session.run(lambda cluster: describe_configs(cluster, whose))
    }
    for key in keys:
        if key not in configs:
            raise NotFound("setting", key, list(configs))
    found = [row(configs[key]) for key in keys]
    session.descriptions(found, SHOWN, [Section("synonyms", SYNONYMS)])


@command(
    app,
    "set",
    "godel configs set retention.ms=86400000 --topic flights",
    "godel configs set cleanup.policy+=compact --topic flights",
    "godel configs set log.retention.ms=3600000 --brokers --dry-run",
)
def set_(
    session: Session,
    assignments: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="KEY+=VALUE adds to a list, KEY-=VALUE takes from it.",
            autocompletion=setting_assignments,
        ),
    ],
    *,
    topic: Topic = None,
    group: Group = None,
    broker: Broker = None,
    brokers: Brokers = False,
    dry_run: DryRun = False,
) -> None:
    """Set settings: all of them or none."""
    changes: dict[str, tuple[Operation, str | None]] = {}
    for text in assignments:
        parts = ASSIGNMENT.fullmatch(text)
        if parts is None:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE")
        changes[parts["key"]] = OPERATIONS[parts["sign"]], parts["value"]
    whose = resource(topic, group, broker, brokers)
    change(session, whose, changes, done="set", dry_run=dry_run)


@command(
    app,
    "unset",
    "godel configs unset retention.ms --topic flights",
    "godel configs unset log.retention.ms --brokers",
)
def unset(
    session: Session,
    keys: Keys,
    *,
    topic: Topic = None,
    group: Group = None,
    broker: Broker = None,
    brokers: Brokers = False,
    dry_run: DryRun = False,
) -> None:
    """Let settings go back to what holds without them."""
    whose = resource(topic, group, broker, brokers)
    changes: dict[str, tuple[Operation, str | None]] = dict.fromkeys(keys, (Operation.DELETE, None))
    change(session, whose, changes, done="unset", dry_run=dry_run)


def change(
    session: Session,
    whose: Resource,
    changes: dict[str, tuple[Operation, str | None]],
    *,
    done: str,
    dry_run: bool,
) -> None:
    """Change settings and show what holds then; a dry run shows what holds now."""

    async def work(cluster: Cluster) -> Sequence[Config]:
        await alter_configs(cluster, whose, changes, dry_run=dry_run)
        if dry_run:
            return await describe_configs(cluster, whose, list(changes))
        return await settled(cluster, whose, changes)

    found = {each.name: row(each) for each in session.run(work)}
    status = f"would be {done}" if dry_run else done
    rows = [
        {"of": str(whose), "name": key, "value": None, "source": None}
        | found.get(key, {})
        | {"status": status}
        for key in changes
    ]
    session.rows(rows, "of", "name", "value", "source", "status")


async def settled(
    cluster: Cluster, whose: Resource, changes: dict[str, tuple[Operation, str | None]]
) -> Sequence[Config]:
    """What holds after a change. A broker hears of it a moment after its controller has agreed."""
    deadline_ms = cluster.clock.monotonic_ms() + SETTLING_MS
    while True:
        found = await describe_configs(cluster, whose, list(changes))
        own = {config.name: config.value for config in found if config.is_own}
        holds = all(
            (key in own) == (operation is not Operation.DELETE)
            and (operation is not Operation.SET or own[key] == value)
            for key, (operation, value) in changes.items()
        )
        if holds or cluster.clock.monotonic_ms() > deadline_ms:
            return found
        await cluster.clock.sleep(SETTLING_STEP_MS)


def settings_changed(
    config: Sequence[str] | None, unset: Sequence[str] | None
) -> dict[str, tuple[Operation, str | None]]:
    """What `--config` and `--unset` ask for."""
    changes: dict[str, tuple[Operation, str | None]] = {
        key: (Operation.SET, value) for key, value in key_values(config or ()).items()
    }
    return changes | dict.fromkeys(unset or (), (Operation.DELETE, None))
