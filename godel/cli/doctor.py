"""`godel doctor`: what is wrong with a cluster, or with the way to it, and what to do."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from godel.cli.checks import Examination, examine
from godel.cli.exits import Status
from godel.cli.findings import Finding, Grade, lines, summary
from godel.cli.output import say, show_value, write
from godel.cli.session import Session, command
from godel.client.cluster import Cluster

app = typer.Typer()

Scratch = Annotated[
    bool,
    typer.Option(
        "--scratch/--no-scratch",
        help="Create a topic, write to it, read it and delete it. Also shows the brokers' clocks.",
    ),
]


@command(
    app,
    "doctor",
    "godel doctor",
    "godel doctor --bootstrap kafka.example.org:9092 --no-scratch",
    "godel doctor --output json | jq '.[] | select(.grade == \"problem\")'",
)
def doctor(session: Session, *, scratch: Scratch = True) -> None:
    """Examine a cluster and the way to it, as a client would go it.

    Resolves and dials the bootstrap and every advertised address, then looks at versions, disks,
    limits, topics, clocks and the coordinator of groups. Ends with status 1 when there is a
    problem, and with 3 when no broker was reached; warnings alone are no failure.
    """

    async def work(cluster: Cluster) -> list[Finding]:
        found: list[Finding] = []
        async for finding in examine(Examination(cluster, scratch)):
            found.append(finding)
            if session.is_for_people:
                write("\n".join(lines(finding, sys.stdout)) + "\n")
        return found

    findings = session.run(work)
    if session.is_for_people:
        say(summary(findings))
    else:
        show_value(session.format, [each.as_row() for each in findings])
    status = status_of(findings)
    if status:
        raise typer.Exit(status)


def status_of(findings: list[Finding]) -> Status:
    """How the command ends."""
    if all(each.check == "bootstrap" for each in findings):
        return Status.UNREACHABLE
    problem = any(each.grade is Grade.PROBLEM for each in findings)
    return Status.FAILED if problem else Status.DONE
