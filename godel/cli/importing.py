"""`godel import`: the records of an exported file into a topic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from godel.cli.completion import topic_names
from godel.cli.exits import Refused, Status
from godel.cli.output import say, warn
from godel.cli.produce import Codec, CompressionOption, records, summarize
from godel.cli.progress import Progress, progress
from godel.cli.record_files import Survey, entries, survey
from godel.cli.session import Session, command
from godel.cli.times import format_duration
from godel.client.cluster import Cluster
from godel.client.configs import Kind, Resource, describe_configs
from godel.client.fetching import Reader
from godel.client.offsets import spans
from godel.client.producing import Producer, open_producer
from godel.client.topics import Topic, all_topics, create_topics
from godel.records.batch import Record
from godel.records.builder import NewRecord
from godel.records.compression import Compression
from godel.types import TopicPartition

app = typer.Typer()


@command(
    app,
    "import",
    "godel import flights flights.jsonl",
    "godel import flights flights.batches --compression zstd",
    "godel import flights flights.batches --resume",
)
def import_(
    session: Session,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC",
            help="A topic; made if there is none of this name.",
            autocompletion=topic_names,
        ),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that `godel export` has written.")
    ],
    *,
    compression: CompressionOption = Codec.NONE,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier import was interrupted.")
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Behind the records that the topic has already.")
    ] = False,
) -> None:
    """Write the records of a file to a topic: same partitions, keys, values, headers, timestamps.

    Offsets count from 0 without gaps. Every entry is checked before the first is written. With
    --resume the topic itself says how far an import came: as many records of each partition are
    left out as it has, and the last one must be the file's.
    """
    if resume and append:
        raise typer.BadParameter("--resume and --append contradict each other")
    found = checked(session, file)
    producers: list[Producer] = []

    async def work(cluster: Cluster) -> None:
        there = await prepared(cluster, topic, found)
        done = await already_there(cluster, there, resume=resume, append=append)
        await warn_of_retention(cluster, topic, found)
        producer = await open_producer(cluster, topic, compression=Compression[compression.name])
        producers.append(producer)
        with progress(f"importing {topic}", clock=session.clock) as shown:
            await Import(producer, found, shown).run(file, done)

    try:
        session.run(work)
    except KeyboardInterrupt:
        written = sum(each.delivered for each in producers)
        so_far = f"at least {records(written)} written" if append else "--resume goes on from here"
        say(f"interrupted: {so_far}")
        raise
    (producer,) = producers
    if has_gap(producer) and not append:
        warn("records behind a rejected one were written: --resume cannot go on from here")
    summarize(session, topic, producer)


def checked(session: Session, file: Path) -> Survey:
    """What the file has; raises `Refused` unless it is whole."""
    with progress(f"checking {file}", clock=session.clock) as shown:
        found = survey(file, shown)
    if found.is_cut:
        hint = f"complete it: godel export {found.topic or 'TOPIC'} {file} --resume"
        raise Refused(f"{file} was cut off after {found.records:,} records", hint=hint)
    if found.topic is None:
        raise Refused(f"{file} has no records")
    return found


def has_gap(producer: Producer) -> bool:
    """Whether a partition has a record behind one that was rejected: both were sent at once."""
    last = producer.last_numbers
    return any(last.get(each.partition, 0) > each.number for each in producer.rejected)


async def prepared(cluster: Cluster, name: str, found: Survey) -> Topic:
    """The topic, made where it is missing, with at least the partitions of the file."""
    topics = {each.name: each for each in await all_topics(cluster)}
    if name not in topics:
        ((_, outcome),) = await create_topics(
            cluster, [name], partitions=found.partitions, configs={}
        )
        if outcome.error is not None:
            raise outcome.error
        topics = {each.name: each for each in await all_topics(cluster)}
    partitions = len(topics[name].partitions)
    if max(found.counts, default=0) >= partitions:
        raise Refused(
            f"the file has records of {found.partitions} partitions, topic {name} has {partitions}",
            hint=f"godel topics edit {name} --partitions {found.partitions}",
        )
    return topics[name]


async def already_there(
    cluster: Cluster, topic: Topic, *, resume: bool, append: bool
) -> Mapping[int, Record | int]:
    """What earlier imports have written, by partition: the last record, or how many there were.

    Since a topic of an import has nothing else in it, its end is the number of records written.
    """
    ends = {each: span.end for each, span in (await spans(cluster, topic.indexes())).items()}
    begun = {each: end for each, end in ends.items() if end}
    if append or not begun:
        return {}
    if not resume:
        raise Refused(
            f"topic {topic.name} has records already",
            hint="--resume goes on with an interrupted import, --append writes behind them",
        )
    return {each.partition: await last_record(cluster, each, end) for each, end in begun.items()}


async def last_record(cluster: Cluster, where: TopicPartition, end: int) -> Record | int:
    """The record before the end, or only the end where it was deleted or compacted."""
    reader = Reader(cluster, {where: end - 1})
    for batch in await reader.poll():
        for record in batch.records():
            if record.offset == end - 1:
                return record
    return end


async def warn_of_retention(cluster: Cluster, topic: str, found: Survey) -> None:
    """Old records vanish as soon as the broker looks at their age."""
    names = ["retention.ms", "cleanup.policy"]
    configs = await describe_configs(cluster, Resource(Kind.TOPIC, topic), names)
    values = {each.name: each.value or "" for each in configs}
    retention_ms = int(values.get("retention.ms") or -1)
    age_ms = cluster.clock.now_ms() - found.newest_ms
    if "delete" in values.get("cleanup.policy", "") and 0 <= retention_ms < age_ms:
        warn(
            f"all records are older than retention.ms of {topic} "
            f"({format_duration(retention_ms)}): the broker will delete them"
        )


class Import:
    """Feeds a file to a producer. Nothing is sent any more once a record was refused.

    What was sent together with that record may have been written.
    """

    def __init__(self, producer: Producer, found: Survey, shown: Progress) -> None:
        self._producer = producer
        self._found = found
        self._shown = shown

    async def run(self, file: Path, done: Mapping[int, Record | int]) -> None:
        counts = {each: count_of(already) for each, already in done.items()}
        for partition, count in counts.items():
            if count > self._found.counts.get(partition, 0):
                raise not_this_file(partition, f"has {count:,} records, more than the file")
        self._shown.expect(self._found.records - sum(counts.values()))
        seen: dict[int, int] = {}
        for entry in entries(file):
            partition = entry.partition
            for _, record in entry.records:
                number = seen[partition] = seen.get(partition, 0) + 1
                if number > counts.get(partition, 0):
                    await self._producer.add(record, partition)
                    if self._producer.rejected:
                        return
                elif number == counts[partition]:
                    check_same(partition, done[partition], record)
            self._shown.update(self._producer.delivered, self._producer.delivered_bytes)
        await self._producer.flush()


def count_of(already: Record | int) -> int:
    return already if isinstance(already, int) else already.offset + 1


def check_same(partition: int, already: Record | int, record: NewRecord) -> None:
    """Whether the last record in the topic is the one that the file has there.

    Its time may be the broker's (LogAppendTime).
    """
    if isinstance(already, int):
        return
    kept = already.key, already.value, already.headers
    if kept != (record.key, record.value, list(record.headers)):
        raise not_this_file(partition, f"has another record at offset {already.offset}")


def not_this_file(partition: int, why: str) -> Refused:
    return Refused(
        f"partition {partition} is not from this file: it {why}",
        hint="import into a new topic, or --append",
        status=Status.FAILED,
    )
