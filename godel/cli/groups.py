"""`godel groups`: list and describe groups with their lag, and set or delete their offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from godel.cli.completion import group_names, topic_names
from godel.cli.exits import Refused, end_with_failures
from godel.cli.output import Column, Section, columns, say, write
from godel.cli.positions import END, parse_position, resolve
from godel.cli.reset import Method, Move, Reset, chosen, parse_reset, plan_reset
from godel.cli.session import DryRun, Session, Yes, command, confirm
from godel.cli.topic_rows import matcher
from godel.client.cluster import Cluster
from godel.client.groups import (
    Committed,
    Group,
    commit_offsets,
    committed_offsets,
    delete_groups,
    delete_offsets,
    describe_group,
    list_groups,
)
from godel.client.offsets import Span, spans_where_led
from godel.client.outcomes import NotFound, Outcome
from godel.types import TopicPartition

app = typer.Typer(
    no_args_is_help=True, help="List and describe groups, set and delete their offsets."
)

GroupName = Annotated[
    str, typer.Argument(metavar="GROUP", help="A group.", autocompletion=group_names)
]
GroupNames = Annotated[
    list[str], typer.Argument(metavar="GROUP", help="Groups.", autocompletion=group_names)
]
Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        "-t",
        metavar="TOPIC[:0,1]",
        help="Only this topic, or some of its partitions; may be repeated.",
        autocompletion=topic_names,
    ),
]
Execute = Annotated[
    bool,
    typer.Option("--execute", help="Do it. Without this, only show the plan (as Kafka's tool)."),
]

LAG_COLUMNS = columns(
    "topic", ">partition", ">committed", ">end", ">lag", "member", "client", "host"
)
DESCRIBED = columns("group", "state", "protocol_type", "assignor", "members", "lag")
INACTIVE = ("Empty", "Dead")


@command(app, "list", "godel groups list", "godel groups list 'board-*' --state Stable")
def list_(
    session: Session,
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="A name with * and ?, quoted.")
    ] = None,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="Only groups in this state; may be repeated."),
    ] = None,
) -> None:
    """List groups."""
    matches = matcher(pattern, regex=False)
    groups = session.run(lambda cluster: list_groups(cluster, state or ()))
    rows = [
        {
            "group": each.id,
            "state": each.state,
            "type": each.type,
            "protocol_type": each.protocol_type,
            "coordinator": each.coordinator,
        }
        for each in groups
        if matches(each.id)
    ]
    session.rows(rows, "group", "state", "type", "protocol_type", ">coordinator")


@command(app, "describe", "godel groups describe board", "godel groups describe board -o json")
def describe(session: Session, names: GroupNames) -> None:
    """Show groups: the lag of each partition, members and what they are assigned."""

    async def work(cluster: Cluster) -> list[dict[str, Any]]:
        return [await description(cluster, name) for name in names]

    found = session.run(work)
    if session.is_for_people:
        found = [row | {"members": len(row["members"])} for row in found]
    session.descriptions(found, DESCRIBED, [Section("partitions", LAG_COLUMNS)])


async def description(cluster: Cluster, name: str) -> dict[str, Any]:
    """A group, its members, and its lag by partition."""
    group = await describe_group(cluster, name)
    committed = await committed_offsets(cluster, name)
    partitions = set(committed).union(*(member.assigned for member in group.members))
    ends = await spans_where_led(cluster, sorted(partitions))
    rows = lag_rows(group, committed, ends, sorted(partitions))
    return {
        "group": group.id,
        "state": group.state,
        "protocol_type": group.protocol_type,
        "assignor": group.assignor,
        "lag": sum(row["lag"] or 0 for row in rows),
        "members": [
            {
                "member": member.id,
                "instance_id": member.instance_id,
                "client": member.client_id,
                "host": member.host,
                "topics": list(member.topics),
                "assigned": [str(each) for each in member.assigned],
            }
            for member in group.members
        ],
        "partitions": rows,
    }


def lag_rows(
    group: Group,
    committed: Mapping[TopicPartition, Committed],
    ends: Mapping[TopicPartition, Span],
    partitions: Sequence[TopicPartition],
) -> list[dict[str, Any]]:
    """One row for each partition that was committed or is assigned."""
    owners = {each: member for member in group.members for each in member.assigned}
    rows = []
    for each in partitions:
        offset = committed[each].offset if each in committed else None
        end = ends[each].end if each in ends else None
        owner = owners.get(each)
        rows.append(
            {
                "topic": each.topic,
                "partition": each.partition,
                "committed": offset,
                "end": end,
                "lag": None if offset is None or end is None else max(0, end - offset),
                "member": owner.id if owner else None,
                "client": owner.client_id if owner else None,
                "host": owner.host if owner else None,
            }
        )
    return rows


@command(
    app,
    "create",
    "godel groups create board --topic flights",
    "godel groups create board --topic flights --from beginning",
    "godel groups create board --topic flights:0,1 --from -1h",
)
def create(
    session: Session,
    name: GroupName,
    *,
    topic: Topics = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="beginning|end|OFFSET|TIME",
            help="Where its members will begin.",
            show_default="end",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Create a group without members by committing offsets for it."""
    position = END if start is None else parse_position(start, session.clock)
    if not topic:
        raise typer.BadParameter("a group exists by its offsets: give --topic")

    async def work(cluster: Cluster) -> list[Move]:
        if any(each.id == name for each in await list_groups(cluster)):
            raise Refused(f"group {name} exists", hint="`godel groups edit` moves its offsets")
        offsets = await resolve(cluster, await chosen(cluster, topic), position)
        return [Move(each, None, offset) for each, offset in sorted(offsets.items())]

    carry_out(session, name, session.run(work), execute=not dry_run)


ToEarliest = Annotated[bool, typer.Option("--to-earliest", help="The beginning.")]
ToLatest = Annotated[bool, typer.Option("--to-latest", help="The end.")]
ToCurrent = Annotated[bool, typer.Option("--to-current", help="What is committed; else the end.")]
ToOffset = Annotated[str | None, typer.Option("--to-offset", metavar="N", help="That offset.")]
ShiftBy = Annotated[
    str | None, typer.Option("--shift-by", metavar="N", help="So many on, or -N back.")
]
ToDatetime = Annotated[
    str | None, typer.Option("--to-datetime", metavar="TIME", help="First record since then.")
]
ByDuration = Annotated[
    str | None, typer.Option("--by-duration", metavar="DURATION", help="So long ago.")
]
FromFile = Annotated[
    str | None,
    typer.Option("--from-file", metavar="FILE", help="Lines of topic,partition,offset."),
]


@command(
    app,
    "edit",
    "godel groups edit board --to-earliest",
    "godel groups edit board --to-datetime 2026-01-31T12:00:00Z --topic flights --execute",
    "godel groups edit board --shift-by -100 --topic flights:0,1 --execute",
    "godel groups edit board --from-file offsets.csv --execute",
)
def edit(
    session: Session,
    name: GroupName,
    *,
    topic: Topics = None,
    to_earliest: ToEarliest = False,
    to_latest: ToLatest = False,
    to_current: ToCurrent = False,
    to_offset: ToOffset = None,
    shift_by: ShiftBy = None,
    to_datetime: ToDatetime = None,
    by_duration: ByDuration = None,
    from_file: FromFile = None,
    execute: Execute = False,
) -> None:
    """Reset the offsets of a group without members, as kafka-consumer-groups does.

    Without --topic: of every topic for which it has committed. Offsets outside of what a partition
    holds become its beginning or end.
    """
    given: dict[Method, str | bool | None] = {
        Method.TO_EARLIEST: to_earliest,
        Method.TO_LATEST: to_latest,
        Method.TO_CURRENT: to_current,
        Method.TO_OFFSET: to_offset,
        Method.SHIFT_BY: shift_by,
        Method.TO_DATETIME: to_datetime,
        Method.BY_DURATION: by_duration,
        Method.FROM_FILE: from_file,
    }
    reset = the_only(session, given)

    async def work(cluster: Cluster) -> list[Move]:
        await demand_inactive(cluster, name)
        return await plan_reset(cluster, name, topic or (), reset)

    carry_out(session, name, session.run(work), execute=execute)
    if not execute and session.is_for_people:
        say("nothing was changed: --execute does it")


def the_only(session: Session, given: Mapping[Method, str | bool | None]) -> Reset:
    """The one method of those that may be given."""
    methods = [
        method for method, value in given.items() if value is not None and value is not False
    ]
    if len(methods) != 1:
        names = ", ".join(f"--{method}" for method in given)
        raise typer.BadParameter(f"give exactly one of {names}")
    return parse_reset(methods[0], str(given[methods[0]]), session.clock)


async def demand_inactive(cluster: Cluster, name: str) -> None:
    """Offsets of a group with members are their own; one that does not exist begins to."""
    try:
        group = await describe_group(cluster, name)
    except NotFound as missing:
        if missing.known and await committed_offsets(cluster, name) == {}:
            raise
        return
    if group.state not in INACTIVE:
        raise Refused(
            f"group {name} is {group.state}: its members would overrule the reset",
            hint="stop them first",
        )


def carry_out(session: Session, group: str, moves: Sequence[Move], *, execute: bool) -> None:
    """Commit the offsets of a plan, or only show it."""
    failures: list[Outcome] = []
    if execute:
        offsets = {move.partition: move.offset for move in moves}
        outcomes = session.run(lambda cluster: commit_offsets(cluster, group, offsets))
        failures = [each for each in outcomes if each.error]
    failed = {each.name: each.error.code.name for each in failures if each.error}
    done = "committed" if execute else "planned"
    rows = [
        {
            "group": group,
            "topic": move.partition.topic,
            "partition": move.partition.partition,
            "committed": move.committed,
            "new_offset": move.offset,
            "status": failed.get(str(move.partition), done),
        }
        for move in moves
    ]
    session.rows(rows, "group", "topic", ">partition", ">committed", ">new_offset", "status")
    end_with_failures(failures)


@command(
    app,
    "delete",
    "godel groups delete board",
    "godel groups delete board-1 board-2 --yes",
)
def delete(session: Session, names: GroupNames, *, yes: Yes = False) -> None:
    """Delete groups without members, with their offsets."""
    confirm(f"Delete {', '.join(names)} with all committed offsets?", yes=yes)

    async def work(cluster: Cluster) -> tuple[list[Outcome], list[str]]:
        outcomes = await delete_groups(cluster, names)
        return outcomes, [each.id for each in await list_groups(cluster)]

    outcomes, left = session.run(work)
    session.outcomes("group", outcomes, done="deleted", known=left)


@command(
    app,
    "offsets",
    "godel groups offsets board",
    "godel groups offsets board --export > offsets.csv",
    "godel groups offsets board --delete --topic flights",
)
def offsets_(
    session: Session,
    name: GroupName,
    *,
    topic: Topics = None,
    export: Annotated[
        bool, typer.Option("--export", help="As lines of topic,partition,offset, for --from-file.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the offsets of the topics given.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Show, export or delete committed offsets."""
    if delete and not topic:
        raise typer.BadParameter("--delete needs --topic; `groups delete` deletes all of a group")

    async def work(cluster: Cluster) -> dict[TopicPartition, Committed]:
        await describe_group(cluster, name)
        wanted = set(await chosen(cluster, topic)) if topic else None
        committed = await committed_offsets(cluster, name)
        return {k: v for k, v in committed.items() if wanted is None or k in wanted}

    committed = session.run(work)
    if export:
        write("".join(f"{k.topic},{k.partition},{v.offset}\n" for k, v in committed.items()))
        return
    failures: list[Outcome] = []
    if delete:
        confirm(f"Delete {len(committed)} offsets of {name}?", yes=yes)
        outcomes = session.run(lambda cluster: delete_offsets(cluster, name, committed))
        failures = [each for each in outcomes if each.error]
    failed = {each.name: each.error.code.name for each in failures if each.error}
    rows = [
        {
            "topic": each.topic,
            "partition": each.partition,
            "offset": found.offset,
            "leader_epoch": found.leader_epoch,
            "metadata": found.metadata,
            "status": failed.get(str(each), "deleted" if delete else "committed"),
        }
        for each, found in committed.items()
    ]
    shown: list[str | Column] = ["topic", ">partition", ">offset", ">leader_epoch", "metadata"]
    session.rows(rows, *shown, *(["status"] if delete else []))
    end_with_failures(failures)
