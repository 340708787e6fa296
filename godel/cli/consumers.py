"""`godel consumers`: be a member of a group that reads nothing, and remove members of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import anyio
import typer

from godel.cli.completion import topic_names
from godel.cli.exits import Refused, end_with_failures
from godel.cli.groups import GroupName
from godel.cli.output import say
from godel.cli.session import Session, Yes, command, confirm
from godel.cli.times import parse_duration
from godel.client.cluster import Cluster
from godel.client.groups import describe_group, remove_members
from godel.client.membership import SESSION_TIMEOUT_MS, Assignor, Member
from godel.client.outcomes import Outcome
from godel.types import TopicPartition

app = typer.Typer(no_args_is_help=True, help="Register members of groups, and remove them.")

CHECK_MS = 200
REASON = "removed by godel consumers delete"


@command(
    app,
    "create",
    "godel consumers create board flights",
    "godel consumers create board flights --instance-id display-1 --for 10m",
)
def create(
    session: Session,
    group: GroupName,
    topics: Annotated[
        list[str],
        typer.Argument(metavar="TOPIC", help="What it wants.", autocompletion=topic_names),
    ],
    *,
    assignor: Annotated[
        Assignor,
        typer.Option(
            "--assignor", metavar="|".join(Assignor), help="How the group shares partitions."
        ),
    ] = Assignor.RANGE,
    instance_id: Annotated[
        str | None,
        typer.Option(
            "--instance-id", metavar="ID", help="A static member (group.instance.id), which stays."
        ),
    ] = None,
    session_timeout: Annotated[
        str, typer.Option("--session-timeout", metavar="DURATION", help="Until it counts as dead.")
    ] = f"{SESSION_TIMEOUT_MS // 1000}s",
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Leave after so long, not at Ctrl-C."),
    ] = None,
) -> None:
    """Join a group, hold the membership, and tell what is assigned.

    It reads and commits nothing.
    """
    try:
        timeout_ms = parse_duration(session_timeout)
        limit_ms = None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None

    async def nowhere(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def work(cluster: Cluster) -> None:
        member = Member(
            cluster,
            group,
            topics,
            start=nowhere,
            assignor=assignor,
            instance_id=instance_id,
            session_timeout_ms=timeout_ms,
            commits=False,
        )
        async with member:
            await hold(session, member, group, limit_ms)

    session.run(work)


async def hold(session: Session, member: Member, group: str, limit_ms: int | None) -> None:
    """Be a member until so long after the first round, and tell of every round."""
    await member.hold()
    told = tell(session, member, group)
    if session.is_for_people and limit_ms is None:
        say("holding the membership; Ctrl-C leaves the group")
    with anyio.move_on_after(None if limit_ms is None else limit_ms / 1000):
        while True:
            await session.clock.sleep(CHECK_MS)
            await member.hold()
            if member.rounds != told:
                told = tell(session, member, group)


def tell(session: Session, member: Member, group: str) -> int:
    """Which round of the group's life was told."""
    session.rows([membership(member, group)], "group", "member", "generation", "assigned")
    return member.rounds


def membership(member: Member, group: str) -> dict[str, Any]:
    return {
        "group": group,
        "member": member.id,
        "generation": member.generation,
        "assigned": [str(each) for each in member.assigned],
    }


@command(
    app,
    "delete",
    "godel consumers delete board console-1-7f2c",
    "godel consumers delete board --instance-id display-1",
    "godel consumers delete board --all --yes",
)
def delete(
    session: Session,
    group: GroupName,
    members: Annotated[
        list[str] | None,
        typer.Argument(metavar="MEMBER", help="Members by id (`groups describe`)."),
    ] = None,
    *,
    instance_id: Annotated[
        list[str] | None,
        typer.Option("--instance-id", metavar="ID", help="A static member; may be repeated."),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every member.")] = False,
    yes: Yes = False,
) -> None:
    """Remove members from a group. One that still runs joins again."""
    if not (members or instance_id or everyone):
        raise typer.BadParameter("name members, or give --instance-id or --all")

    async def plan(cluster: Cluster) -> list[tuple[str, str | None]]:
        there = (await describe_group(cluster, group)).members
        if everyone:
            return [(each.id, each.instance_id) for each in there]
        named: list[tuple[str, str | None]] = [(each, None) for each in members or ()]
        return named + [("", each) for each in instance_id or ()]

    doomed = session.run(plan)
    if not doomed:
        raise Refused(f"group {group} has no members")
    names = ", ".join(member or str(instance) for member, instance in doomed)
    confirm(f"Remove {names} from {group}?", yes=yes)

    async def work(cluster: Cluster) -> list[Outcome]:
        return await remove_members(cluster, group, doomed, reason=REASON)

    outcomes = session.run(work)
    rows = [
        {
            "group": group,
            "member": each.name,
            "status": each.error.code.name if each.error else "removed",
        }
        for each in outcomes
    ]
    session.rows(rows, "group", "member", "status")
    end_with_failures([each for each in outcomes if each.error])
