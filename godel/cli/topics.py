"""`godel topics`: list, describe, create, edit and delete topics, their partitions and records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from godel.cli.completion import topic_names
from godel.cli.configs import Configs, Unset, settings_changed
from godel.cli.exits import end_with_failures, nearest
from godel.cli.output import Column
from godel.cli.positions import END, chosen_partitions, parse_position, resolve
from godel.cli.session import DryRun, Session, Yes, command, confirm, key_values
from godel.cli.topic_rows import (
    DESCRIBED,
    PARTITION_COLUMNS,
    SECTIONS,
    SIZE,
    add_sizes,
    description,
    matcher,
    matching,
    min_insync_replicas,
    partition_rows,
    summary,
    warn_about,
)
from godel.client.brokers import leaders_sizes
from godel.client.cluster import Cluster
from godel.client.configs import Kind, Resource, alter_configs
from godel.client.offsets import spans
from godel.client.outcomes import Outcome
from godel.client.topics import (
    BROKER_DEFAULT,
    all_topics,
    create_partitions,
    create_topics,
    delete_records,
    delete_topics,
    named_topics,
)
from godel.errors import ApiError, ErrorCode
from godel.types import TopicPartition

app = typer.Typer(no_args_is_help=True, help="List, describe, create, edit and delete topics.")

Names = Annotated[
    list[str],
    typer.Argument(metavar="TOPIC", help="Topics by name.", autocompletion=topic_names),
]
Pattern = Annotated[
    str | None,
    typer.Argument(metavar="PATTERN", help="Only these: a name with * and ?, quoted."),
]
Regex = Annotated[
    bool,
    typer.Option("--regex", "-r", help="PATTERN is a regular expression for the whole name."),
]

Internal = Annotated[bool, typer.Option("--internal", "-i", help="Internal topics, too.")]
Partitions = Annotated[
    int,
    typer.Option(
        "--partitions", "-p", metavar="N", show_default=False,
        help="Partitions of each; else the broker's default.",
    ),
]  # fmt: skip
Replicas = Annotated[
    int,
    typer.Option(
        "--replicas", "-r", metavar="N", show_default=False,
        help="Replicas of each partition; else the broker's default.",
    ),
]  # fmt: skip


@command(
    app,
    "list",
    "godel topics list",
    "godel topics list 'flights-*' --sizes",
    "godel topics list --under-replicated --output json",
)
def list_(
    session: Session,
    pattern: Pattern = None,
    *,
    regex: Regex = False,
    internal: Internal = False,
    sizes: Annotated[
        bool, typer.Option("--sizes", "-s", help="Count records and bytes, too.")
    ] = False,
    under_replicated: Annotated[
        bool, typer.Option("--under-replicated", help="Only where a replica is missing.")
    ] = False,
    unavailable: Annotated[
        bool, typer.Option("--unavailable", help="Only where a partition has no leader.")
    ] = False,
) -> None:
    """List topics."""
    matches = matcher(pattern, regex=regex)

    async def work(cluster: Cluster) -> list[dict[str, Any]]:
        chosen = [
            topic
            for topic in await all_topics(cluster)
            if (internal or not topic.is_internal)
            and matches(topic.name)
            and (topic.under_replicated or not under_replicated)
            and (topic.without_leader or not unavailable)
        ]
        rows = [summary(topic) for topic in chosen]
        if sizes:
            await add_sizes(cluster, chosen, rows)
        return rows

    shown: list[str | Column] = ["name", ">partitions", ">replicas"]
    if internal:
        shown.append("internal")
    if sizes:
        shown += [">records", SIZE]
    rows = session.run(work)
    session.rows(rows, *shown)
    warn_about(rows)


@command(
    app,
    "describe",
    "godel topics describe flights",
    "godel topics describe flights departures --output yaml",
)
def describe(session: Session, names: Names) -> None:
    """Show topics: partitions with leaders, replicas, offsets and sizes, and what was set."""

    async def work(cluster: Cluster) -> list[dict[str, Any]]:
        topics = await named_topics(cluster, names)
        sizes = await leaders_sizes(cluster)
        return [await description(cluster, topic, sizes) for topic in topics]

    found = session.run(work)
    session.descriptions(found, DESCRIBED, SECTIONS)
    if session.is_for_people:
        warn_about(found)


@command(
    app,
    "create",
    "godel topics create flights",
    "godel topics create flights --partitions 6 --config retention.ms=86400000",
    "godel topics create states --config cleanup.policy=compact --dry-run",
)
def create(
    session: Session,
    names: Names,
    *,
    partitions: Partitions = BROKER_DEFAULT,
    replicas: Replicas = BROKER_DEFAULT,
    config: Configs = None,
    if_not_exists: Annotated[
        bool, typer.Option("--if-not-exists", help="A topic that is there already is fine.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Create topics."""
    configs = key_values(config or ())
    made = session.run(
        lambda cluster: create_topics(
            cluster,
            names,
            partitions=partitions,
            replication_factor=replicas,
            configs=configs,
            dry_run=dry_run,
        )
    )
    done = "would be created" if dry_run else "created"
    rows: list[dict[str, Any]] = []
    failures: list[Outcome] = []
    for topic, outcome in made:
        row: dict[str, Any] = {
            "name": outcome.name,
            "partitions": None,
            "replicas": None,
            "status": done,
        }
        if outcome.error is None:
            row |= {"partitions": topic.num_partitions, "replicas": topic.replication_factor}
        elif if_not_exists and outcome.error.code is ErrorCode.TOPIC_ALREADY_EXISTS:
            row["status"] = "exists"
        else:
            row["status"] = outcome.error.code.name
            failures.append(outcome)
        rows.append(row)
    session.rows(rows, "name", ">partitions", ">replicas", "status")
    end_with_failures(failures, hint=nearest_setting(configs) if failures else None)


def nearest_setting(keys: Iterable[str]) -> str | None:
    """What was meant by the first key that Kafka does not know."""
    from godel.config import TopicConfig  # only for what went wrong

    unknown = [key for key in keys if key not in TopicConfig.SETTINGS]
    return nearest(unknown[0], list(TopicConfig.SETTINGS)) if unknown else None


@command(
    app,
    "edit",
    "godel topics edit flights --partitions 12",
    "godel topics edit flights --config retention.ms=3600000 --unset segment.bytes",
    "godel topics edit flights --partitions 12 --dry-run",
)
def edit(
    session: Session,
    names: Names,
    *,
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions", "-p", min=1, metavar="N", help="More partitions: so many in all."
        ),
    ] = None,
    config: Configs = None,
    unset: Unset = None,
    dry_run: DryRun = False,
) -> None:
    """Change the settings of topics, or give them more partitions."""
    changes = settings_changed(config, unset)
    if not changes and partitions is None:
        raise typer.BadParameter("nothing to change: give --partitions, --config or --unset")

    async def work(cluster: Cluster) -> list[Outcome]:
        await named_topics(cluster, names)
        for name in names:
            if changes:
                await alter_configs(cluster, Resource(Kind.TOPIC, name), changes, dry_run=dry_run)
        if partitions is None:
            return [Outcome(name, None) for name in names]
        counts = dict.fromkeys(names, partitions)
        return await create_partitions(cluster, counts, dry_run=dry_run)

    done = "would be changed" if dry_run else "changed"
    session.outcomes("name", session.run(work), done=done)


@command(
    app,
    "delete",
    "godel topics delete flights",
    "godel topics delete 'test-*' --yes",
    "godel topics delete --regex 'tmp[0-9]+' --dry-run",
)
def delete(
    session: Session,
    patterns: Annotated[
        list[str],
        typer.Argument(metavar="TOPIC", help="Names, or patterns with * and ?, quoted."),
    ],
    *,
    regex: Annotated[
        bool, typer.Option("--regex", "-r", help="They are regular expressions for whole names.")
    ] = False,
    if_exists: Annotated[
        bool, typer.Option("--if-exists", help="A topic that is not there is fine.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete topics and all their records. Patterns spare internal topics."""
    names = session.run(
        lambda cluster: matching(cluster, patterns, regex=regex, may_miss=if_exists)
    )
    if not names:
        session.rows([], "name", "status")
        return
    if dry_run:
        rows = [{"name": name, "status": "would be deleted"} for name in names]
        session.rows(rows, "name", "status")
        return
    confirm(f"Delete {', '.join(names)} with all records?", yes=yes)
    outcomes = session.run(lambda cluster: delete_topics(cluster, names))
    session.outcomes("name", outcomes, done="deleted")


@command(
    app,
    "partitions",
    "godel topics partitions flights",
    "godel topics partitions --under-replicated",
    "godel topics partitions 'flights-*' --under-min-isr",
)
def partitions_(
    session: Session,
    pattern: Pattern = None,
    *,
    regex: Regex = False,
    internal: Internal = False,
    under_replicated: Annotated[
        bool, typer.Option("--under-replicated", help="Only those that lack a replica.")
    ] = False,
    under_min_isr: Annotated[
        bool, typer.Option("--under-min-isr", help="Only those below min.insync.replicas.")
    ] = False,
    unavailable: Annotated[
        bool, typer.Option("--unavailable", help="Only those without a leader.")
    ] = False,
) -> None:
    """List partitions: leaders, replicas, offsets and sizes."""
    matches = matcher(pattern, regex=regex)

    async def work(cluster: Cluster) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        sizes = await leaders_sizes(cluster)
        for topic in await all_topics(cluster):
            if not matches(topic.name) or (topic.is_internal and not internal and pattern is None):
                continue
            needed = await min_insync_replicas(cluster, topic.name) if under_min_isr else 0
            rows += [
                {"topic": topic.name} | row
                for row in await partition_rows(cluster, topic, sizes)
                if (not under_replicated or len(row["isr"]) < len(row["replicas"]))
                and (not under_min_isr or len(row["isr"]) < needed)
                and (not unavailable or row["leader"] is None)
            ]
        return rows

    session.rows(session.run(work), "topic", *PARTITION_COLUMNS)


@command(
    app,
    "records",
    "godel topics records flights --before 1000 --partition 0",
    "godel topics records flights --all",
    "godel topics records flights --before 2026-01-01T00:00:00Z --dry-run",
)
def records(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="TOPIC", help="A topic.", autocompletion=topic_names)
    ],
    *,
    before: Annotated[
        str | None,
        typer.Option(
            "--before",
            metavar="OFFSET|TIME",
            help="Delete what is before an offset, or before a time (2026-01-01T00:00:00Z, -1h).",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete every record.")] = False,
    partition: Annotated[
        list[int] | None,
        typer.Option(
            "--partition", "-p", metavar="N", help="Only this partition; may be repeated."
        ),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete records from the beginning of partitions up to an offset or time."""
    if everything == (before is not None):
        raise typer.BadParameter("say what to delete: either --before or --all")
    up_to = END if before is None else parse_position(before, session.clock)

    async def plan(cluster: Cluster) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        (topic,) = await named_topics(cluster, [name])
        chosen = chosen_partitions(topic, partition)
        begins = {each: span.start for each, span in (await spans(cluster, chosen)).items()}
        return begins, await resolve(cluster, chosen, up_to)

    begins, offsets = session.run(plan)
    doomed = sum(max(0, offsets[each] - begins[each]) for each in offsets)
    results: dict[TopicPartition, int | ApiError] = dict(offsets)
    if not dry_run:
        confirm(f"Delete {doomed} offsets' worth of records of {name}?", yes=yes)
        results = session.run(lambda cluster: delete_records(cluster, offsets))
    show_begins(session, begins, results, done="would be deleted" if dry_run else "deleted")


def show_begins(
    session: Session,
    begins: dict[TopicPartition, int],
    results: dict[TopicPartition, int | ApiError],
    *,
    done: str,
) -> None:
    """Where partitions began, where they begin now, and which could not be cut."""
    failures = {each: error for each, error in results.items() if isinstance(error, ApiError)}
    rows = [
        {
            "topic": each.topic,
            "partition": each.partition,
            "began": begins[each],
            "begins": None if each in failures else result,
            "status": failures[each].code.name if each in failures else done,
        }
        for each, result in sorted(results.items())
    ]
    session.rows(rows, "topic", ">partition", ">began", ">begins", "status")
    end_with_failures([Outcome(str(each), error) for each, error in failures.items()])
