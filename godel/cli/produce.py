"""`godel produce`: records from standard input or files into a topic."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from godel.cli.completion import topic_names
from godel.cli.exits import Refused, Status, described
from godel.cli.output import complain, say, show_value
from godel.cli.progress import Progress, progress
from godel.cli.record_input import CHUNK_BYTES, LineFormat, lines, open_input
from godel.cli.session import Session, command, key_values
from godel.cli.times import parse_time
from godel.client.cluster import Cluster
from godel.client.producing import ACKS_ALL, ACKS_NONE, Producer, open_producer
from godel.clock import Clock
from godel.records.builder import NewRecord
from godel.records.compression import Compression

app = typer.Typer()

SHOWN_REJECTED = 10
RATE_STEP_MS = 50


class Codec(StrEnum):
    """Codecs of a batch."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


class Acks(StrEnum):
    """When a batch counts as delivered."""

    ALL = "all"
    LEADER = "1"
    NONE = "0"


ACKS = {Acks.ALL: ACKS_ALL, Acks.LEADER: 1, Acks.NONE: ACKS_NONE}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be produced, and how."""

    topic: str
    files: Sequence[str]
    whole: bool
    form: LineFormat
    partition: int | None
    codec: Compression
    acks: int
    rate: float | None


Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="A topic.", autocompletion=topic_names)]
Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE", help="Files to read; - or none: standard input."),
]
Key = Annotated[str | None, typer.Option("--key", "-k", help="The key of every record.")]
KeySeparator = Annotated[
    str | None,
    typer.Option("--key-separator", "-K", metavar="TEXT", help="What ends the key in a line."),
]
Header = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="NAME=VALUE", help="A header; may be repeated."),
]
Partition = Annotated[
    int | None, typer.Option("--partition", "-p", min=0, metavar="N", help="Always this partition.")
]
Timestamp = Annotated[
    str | None, typer.Option("--timestamp", metavar="TIME", help="Instead of now.")
]
CompressionOption = Annotated[
    Codec,
    typer.Option(
        "--compression", "-z", metavar="|".join(Codec), help="How batches are compressed."
    ),
]
AcksOption = Annotated[
    Acks, typer.Option("--acks", metavar="|".join(Acks), help="Who must have a batch.")
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", min=0.001, metavar="N", help="At most so many records a second."),
]
Json = Annotated[
    bool, typer.Option("--json", "-J", help="Lines are JSON, as `consume -o json` writes.")
]
Tombstone = Annotated[
    bool, typer.Option("--tombstone", "-Z", help="An empty value is none: delete the key.")
]
Whole = Annotated[
    bool, typer.Option("--whole", help="Each file is one record, not each of its lines.")
]


@command(
    app,
    "produce",
    "echo EWR-IAH | godel produce flights --key N14228",
    "godel produce flights --key-separator : < flights.txt",
    "godel produce flights --json --compression zstd flights.jsonl",
    "godel produce states --key N14228 --tombstone < /dev/null --whole -",
    "tail -f app.log | godel produce logs --header host=web1",
)
def produce(
    session: Session,
    topic: Topic,
    files: Files = None,
    *,
    key: Key = None,
    key_separator: KeySeparator = None,
    header: Header = None,
    partition: Partition = None,
    timestamp: Timestamp = None,
    compression: CompressionOption = Codec.NONE,
    acks: AcksOption = Acks.ALL,
    rate: Rate = None,
    json: Json = False,
    tombstone: Tombstone = False,
    whole: Whole = False,
) -> None:
    """Produce records, one for each line.

    Keys choose the partition as in Kafka's own clients. Records without a key stay together for a
    batch, and the next batch goes to the next partition. With --acks all a batch is never appended
    twice. Ends with status 1 when a record was rejected.
    """
    if json and (whole or key is not None or key_separator is not None):
        raise typer.BadParameter("--json brings its own keys: leave out --key* and --whole")
    form = LineFormat(
        key=None if key is None else key.encode(),
        key_separator=None if key_separator is None else key_separator.encode(),
        headers=[(name, value.encode()) for name, value in key_values(header or ()).items()],
        timestamp_ms=None if timestamp is None else time_of(timestamp, session.clock),
        tombstone=tombstone,
        json=json,
    )
    plan = Plan(
        topic=topic,
        files=files or ["-"],
        whole=whole,
        form=form,
        partition=partition,
        codec=Compression[compression.name],
        acks=ACKS[acks],
        rate=rate,
    )

    async def work(cluster: Cluster) -> Producer:
        producer = await open_producer(cluster, topic, acks=plan.acks, compression=plan.codec)
        typed = somebody_types(plan)
        if typed:
            say("one record a line; Ctrl-D ends")
        with progress(f"producing to {topic}", clock=session.clock, quiet=typed) as shown:
            await Feeding(plan, producer, session.clock, shown).all()
        return producer

    summarize(session, topic, session.run(work))


def somebody_types(plan: Plan) -> bool:
    """Whether records come from a keyboard, where a moving line would be in the way."""
    return "-" in plan.files and sys.stdin.isatty()


def time_of(text: str, clock: Clock) -> int:
    try:
        return parse_time(text, clock.now_ms())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


class Feeding:
    """Reads the input of a plan into a producer, at its rate."""

    def __init__(self, plan: Plan, producer: Producer, clock: Clock, shown: Progress) -> None:
        self._plan = plan
        self._producer = producer
        self._clock = clock
        self._shown = shown
        self._count = 0
        self._began_ms = clock.monotonic_ms()

    async def all(self) -> None:
        for name in self._plan.files:
            with open_input(name) as stream:
                if self._plan.whole:
                    await self._feed([stream.read()])
                    continue
                async for chunk in lines(stream):
                    await self._feed(chunk)
                    if sum(map(len, chunk)) < CHUNK_BYTES // 4:  # nothing more is there yet
                        await self._producer.flush()
                    self._shown.update(self._producer.delivered, self._producer.delivered_bytes)
        await self._producer.flush()

    async def _feed(self, chunk: Sequence[bytes]) -> None:
        for line in chunk:
            self._count += 1
            await self._keep_to_the_rate()
            record, partition = self._plan.form.record(line, self._count)
            await self._add(record, self._plan.partition if partition is None else partition)

    async def _add(self, record: NewRecord, partition: int | None) -> None:
        there = self._producer.partitions
        if partition is not None and not 0 <= partition < there:
            raise Refused(
                f"topic {self._plan.topic} has the partitions 0 to {there - 1}, and no {partition}",
                status=Status.NOT_FOUND,
            )
        await self._producer.add(record, partition)

    async def _keep_to_the_rate(self) -> None:
        rate = self._plan.rate
        if rate is None:
            return
        ahead_ms = (self._count - 1) * 1000 / rate - (self._clock.monotonic_ms() - self._began_ms)
        if ahead_ms > RATE_STEP_MS or (ahead_ms > 0 and rate <= 1000 / RATE_STEP_MS):
            await self._producer.flush()
            await self._clock.sleep(ahead_ms)


def summarize(session: Session, topic: str, producer: Producer) -> None:
    """What was delivered, and each record that was not."""
    rejected = producer.rejected
    if session.is_for_people:
        say(f"delivered {records(producer.delivered)} to {topic}")
    else:
        show_value(session.format, summary(topic, producer))
    for each in rejected[:SHOWN_REJECTED]:
        complain(f"record {each.number} was rejected: {described(each.error)}")
    if len(rejected) > SHOWN_REJECTED:
        complain(f"{records(len(rejected) - SHOWN_REJECTED)} more rejected")
    if rejected:
        raise typer.Exit(Status.FAILED)


def records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def summary(topic: str, producer: Producer) -> dict[str, Any]:
    return {
        "topic": topic,
        "delivered": producer.delivered,
        "delivered_bytes": producer.delivered_bytes,
        "next_offsets": [
            {"partition": partition, "offset": offset}
            for partition, offset in sorted(producer.next_offsets.items())
        ],
        "rejected": [
            {
                "record": each.number,
                "partition": each.partition,
                "error": each.error.code.name,
                "message": each.error.message,
            }
            for each in producer.rejected
        ],
    }
