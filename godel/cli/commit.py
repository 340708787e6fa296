"""`godel commit`: offsets for a group, by hand."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from godel.cli.exits import end_with_failures
from godel.cli.groups import GroupName
from godel.cli.session import Session, command
from godel.client.cluster import Cluster
from godel.client.groups import commit_offsets
from godel.client.outcomes import Outcome
from godel.types import TopicPartition

app = typer.Typer()

_OFFSET = re.compile(r"([\w.-]+):(\d+):(\d+)", re.ASCII)


@command(
    app,
    "commit",
    "godel commit board flights:0:42",
    "godel commit board flights:0:42 flights:1:17 --metadata 'after the incident'",
)
def commit(
    session: Session,
    group: GroupName,
    offsets: Annotated[
        list[str],
        typer.Argument(metavar="TOPIC:PARTITION:OFFSET", help="The next offsets to read."),
    ],
    *,
    metadata: Annotated[
        str, typer.Option("--metadata", help="A note that is kept with the offsets.")
    ] = "",
) -> None:
    """Commit offsets for a group without members, as they are: nothing checks their bounds."""
    wanted = dict(map(parse_offset, offsets))

    async def work(cluster: Cluster) -> list[Outcome]:
        return await commit_offsets(cluster, group, wanted, metadata=metadata)

    outcomes = session.run(work)
    errors = {each.name: each.error.code.name for each in outcomes if each.error}
    rows = [
        {
            "group": group,
            "topic": where.topic,
            "partition": where.partition,
            "offset": offset,
            "status": errors.get(str(where), "committed"),
        }
        for where, offset in sorted(wanted.items())
    ]
    session.rows(rows, "group", "topic", ">partition", ">offset", "status")
    end_with_failures([each for each in outcomes if each.error])


def parse_offset(text: str) -> tuple[TopicPartition, int]:
    """`flights:0:42`."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not TOPIC:PARTITION:OFFSET")
    return TopicPartition(found[1], int(found[2])), int(found[3])
