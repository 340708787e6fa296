"""`godel consume`: records of topics, as they come."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from godel.cli.completion import group_names, topic_names
from godel.cli.exits import Refused, Status
from godel.cli.output import Format, one_line, say, warn, write_bytes
from godel.cli.positions import BEGINNING, Position, chosen_partitions, parse_position, resolve
from godel.cli.record_text import Formatter, as_object, formatter, json_line
from godel.cli.session import Session, command
from godel.cli.times import format_time
from godel.cli.topic_rows import matcher
from godel.client.cluster import Cluster
from godel.client.fetching import Reader, StoredBatch
from godel.client.membership import Assignor, Member
from godel.client.topics import all_topics, named_topics
from godel.records.batch import Record
from godel.types import TopicPartition

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be read."""

    topics: Sequence[str]
    regex: bool
    partitions: Sequence[int] | None
    start: Position
    until: Position | None
    count: int | None
    committed_only: bool
    write: Formatter


Topics = Annotated[
    list[str],
    typer.Argument(metavar="TOPIC", help="Topics to read.", autocompletion=topic_names),
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="beginning|end|OFFSET|TIME",
        help="Where to begin; +N and -N count from the beginning and the end.",
        show_default="beginning",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="end|OFFSET|TIME",
        help="Where to stop; else new records follow. With --group: in the assigned partitions.",
    ),
]
Count = Annotated[
    int | None,
    typer.Option("-n", "--count", min=1, metavar="N", help="Stop after so many records."),
]
Partition = Annotated[
    list[int] | None,
    typer.Option("--partition", "-p", metavar="N", help="Only this partition; may be repeated."),
]
Regex = Annotated[bool, typer.Option("--regex", "-r", help="TOPIC is a regular expression.")]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        "-g",
        help="Read as a member of a group, and commit what was read.",
        autocompletion=group_names,
    ),
]
AssignorOption = Annotated[
    Assignor,
    typer.Option("--assignor", metavar="|".join(Assignor), help="How the group shares partitions."),
]
NoCommit = Annotated[bool, typer.Option("--no-commit", help="With --group: commit nothing.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="%t topic, %p partition, %o offset, %T time in ms, %d time, %k key, %s or %v "
        "value, %K and %S their sizes, %h headers, \\n newline.",
    ),
]
CommittedOnly = Annotated[
    bool,
    typer.Option("--read-committed", help="Only records of transactions that are committed."),
]


@command(
    app,
    "consume",
    "godel consume flights",
    "godel consume flights --from end",
    "godel consume flights --from -10 --until end",
    "godel consume flights --from 2026-01-31T12:00:00Z -n 100 --output json",
    "godel consume flights --format '%p:%o %k=%v\\n'",
    "godel consume --regex 'flights-.*' --group board",
    "godel consume flights --group board --until end",
)
def consume(
    session: Session,
    topics: Topics,
    *,
    start: StartOption = None,
    until: Until = None,
    count: Count = None,
    partition: Partition = None,
    regex: Regex = False,
    group: Group = None,
    assignor: AssignorOption = Assignor.RANGE,
    no_commit: NoCommit = False,
    form: Form = None,
    committed_only: CommittedOnly = False,
) -> None:
    """Read records as they come.

    In a pipe values are written, one in a line; on a terminal more about each record. JSON is one
    object for each record in a line. With --group, --from is for partitions without a committed
    offset, as auto.offset.reset is, and --until ends once all partitions that the group assigns to
    this member are read and committed so far; while it has none it waits for them.
    """
    if group is not None and partition:
        raise typer.BadParameter("--group chooses partitions itself: leave out -p")
    plan = Plan(
        topics=topics,
        regex=regex,
        partitions=partition,
        start=BEGINNING if start is None else parse_position(start, session.clock),
        until=None if until is None else parse_position(until, session.clock),
        count=count,
        committed_only=committed_only,
        write=writer(session, form),
    )

    async def work(cluster: Cluster) -> None:
        if group is None:
            await read_assigned(cluster, plan)
        else:
            await read_in_group(cluster, plan, group, assignor, commits=not no_commit)

    session.run(work)


async def read_assigned(cluster: Cluster, plan: Plan) -> None:
    """Read partitions from an offset to another, or on and on."""
    partitions = await partitions_of(cluster, await topics_of(cluster, plan), plan)
    starts = await resolve(cluster, partitions, plan.start)
    ends = {} if plan.until is None else await resolve(cluster, partitions, plan.until)
    reader = Reader(cluster, starts, committed_only=plan.committed_only, moved=tell_moved)
    printing = Printing(plan, ends)
    while True:
        reader.stop_at(ends)
        if printing.is_done or not reader.positions:
            return
        printing.batches(await reader.poll())


async def read_in_group(
    cluster: Cluster, plan: Plan, group: str, assignor: Assignor, *, commits: bool
) -> None:
    """Read what the group assigns; commit what was written, and leave in good order."""
    topics = await topics_of(cluster, plan)
    ends: dict[TopicPartition, int] = {}
    if plan.until is not None:
        ends = await resolve(cluster, await partitions_of(cluster, topics, plan), plan.until)
    member = Member(
        cluster,
        group,
        topics,
        assignor=assignor,
        start=lambda partitions: resolve(cluster, partitions, plan.start),
        committed_only=plan.committed_only,
        commits=commits,
    )
    printing = Printing(plan, ends)
    async with member:
        while not printing.is_done:
            batches = await member.poll()
            printing.batches(batches)
            member.processed(printing.taken)
            if plan.until is not None and member.stop_at(ends):
                return


async def topics_of(cluster: Cluster, plan: Plan) -> list[str]:
    if not plan.regex:
        return list(plan.topics)
    there = [topic.name for topic in await all_topics(cluster) if not topic.is_internal]
    chosen = [name for name in there if any(matcher(t, regex=True)(name) for t in plan.topics)]
    if not chosen:
        raise Refused(f"no topic matches {' '.join(plan.topics)}", status=Status.NOT_FOUND)
    return chosen


async def partitions_of(
    cluster: Cluster, topics: Sequence[str], plan: Plan
) -> list[TopicPartition]:
    found = await named_topics(cluster, topics)
    return [each for topic in found for each in chosen_partitions(topic, plan.partitions)]


class Printing:
    """Writes records until there are enough, and knows how far it came in each partition."""

    def __init__(self, plan: Plan, ends: dict[TopicPartition, int]) -> None:
        self.taken: dict[TopicPartition, int] = {}
        self._write = plan.write
        self._left = plan.count
        self._ends = ends
        self._tells_waiting = sys.stdout.isatty() and not self._ends

    @property
    def is_done(self) -> bool:
        return self._left == 0

    def batches(self, batches: Sequence[StoredBatch]) -> None:
        if not batches and self._tells_waiting:
            self._tells_waiting = False
            say("waiting for records; Ctrl-C ends")
        for batch in batches:
            end = self._ends.get(batch.partition)
            for record in batch.records():
                if self.is_done or (end is not None and record.offset >= end):
                    break
                write_bytes(self._write(batch.partition, record))
                self.taken[batch.partition] = record.offset + 1
                if self._left is not None:
                    self._left -= 1
        sys.stdout.flush()


def writer(session: Session, form: str | None) -> Formatter:
    """How records are written: as asked for, else for whoever reads."""
    if form is not None:
        return formatter(form)
    if session.format is Format.JSON:
        return json_line
    if session.format is Format.YAML:
        return yaml_document
    return for_people if sys.stdout.isatty() else formatter("%s\\n")


def yaml_document(where: TopicPartition, record: Record) -> bytes:
    import yaml

    text: str = yaml.safe_dump(as_object(where, record), sort_keys=False, allow_unicode=True)
    return b"---\n" + text.encode()


def for_people(where: TopicPartition, record: Record) -> bytes:
    """A line that cannot disturb a terminal."""
    key = "" if record.key is None else f"{readable(record.key)}  "
    value = "(none)" if record.value is None else readable(record.value)
    headers = "".join(
        f"  {name}={'' if value is None else readable(value)}" for name, value in record.headers
    )
    when = format_time(record.timestamp)
    line = f"{where.topic} {where.partition}:{record.offset}  {when}  {key}{value}{headers}\n"
    return line.encode()


def readable(raw: bytes) -> str:
    return one_line(raw.decode(errors="backslashreplace"))


def tell_moved(partition: TopicPartition, before: int, after: int) -> None:
    warn(f"{partition} has no offset {before}; reading on at {after}")
