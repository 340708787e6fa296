"""`godel bench`: how fast a cluster takes and gives records, as this client sees it.

One connection to each broker and one request at a time: the figures compare clusters and settings.
They are no limit of a broker, which many clients reach only together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from struct import Struct
from typing import Annotated

import anyio
import typer

from godel.cli.completion import topic_names
from godel.cli.exits import Refused, described
from godel.cli.measuring import DESCRIBED, Measurement, live
from godel.cli.output import say
from godel.cli.produce import ACKS, Acks, AcksOption, Codec, CompressionOption
from godel.cli.scratch import scratch_topic
from godel.cli.session import Session, command
from godel.cli.times import parse_duration
from godel.client.cluster import Cluster
from godel.client.fetching import Reader
from godel.client.offsets import spans
from godel.client.producing import (
    BATCH_BYTES,
    BATCH_RECORDS,
    RECORD_OVERHEAD_BYTES,
    Producer,
    open_producer,
)
from godel.client.topics import named_topics
from godel.records.builder import NewRecord
from godel.records.compression import Compression

app = typer.Typer(no_args_is_help=True, help="Measure throughput and latency.")

DEFAULT_RECORDS = 100_000
DEFAULT_E2E_RECORDS, DEFAULT_E2E_RATE = 1_000, 100.0
EMPTY_POLLS = 3
"""After so many in a row nothing more will come. A single one may be of a quota, or of records that
no reader sees."""
MARK = Struct(">8sd")
"""At the start of a value: which run it is of, and when the record was due."""

Records = Annotated[
    int | None,
    typer.Option("--records", "-n", min=1, metavar="N", help="So many records at most."),
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="So long at most."),
]
Size = Annotated[int, typer.Option("--size", min=0, metavar="BYTES", help="Of each value.")]
Batch = Annotated[
    int,
    typer.Option(
        "--batch",
        min=1,
        metavar="N",
        help=f"Records in a request, up to {BATCH_BYTES // 1024} KiB.",
    ),
]
Partitions = Annotated[
    int, typer.Option("--partitions", "-p", min=1, metavar="N", help="Of the topic made.")
]
Topic = Annotated[
    str | None,
    typer.Option(
        "--topic", "-t", autocompletion=topic_names,
        help="A topic that is there and stays; else one is made and deleted.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured, and when it is enough."""

    benchmark: str
    latency_of: str
    topic: str | None
    partitions: int
    records: int | None
    duration_ms: int | None
    size: int
    batch: int = 500
    acks: int = ACKS[Acks.ALL]
    compression: Compression = Compression.NONE
    rate: float | None = None

    def is_over(self, measurement: Measurement, records: int) -> bool:
        enough = self.records is not None and records >= self.records
        late = self.duration_ms is not None and measurement.elapsed_ms() >= self.duration_ms
        return enough or late


def bounds(
    records: int | None, duration: str | None, default: int
) -> tuple[int | None, int | None]:
    """Records and milliseconds; a benchmark ends by itself, whatever is left out."""
    if duration is None:
        return records or default, None
    try:
        return records, parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@command(
    app,
    "produce",
    "godel bench produce",
    "godel bench produce --for 30s --size 1000 --acks 1",
    "godel bench produce -n 1000000 --batch 5000 --compression lz4 --output json",
)
def produce(
    session: Session,
    *,
    records: Records = None,
    duration: For = None,
    size: Size = 100,
    batch: Batch = 500,
    partitions: Partitions = 1,
    acks: AcksOption = Acks.ALL,
    compression: CompressionOption = Codec.NONE,
    topic: Topic = None,
) -> None:
    """Write records, one request after another. Latency is that of a request."""
    count, duration_ms = bounds(records, duration, DEFAULT_RECORDS)
    plan = Plan(
        "produce", "request", topic, partitions, count, duration_ms, size,
        batch=batch, acks=ACKS[acks], compression=Compression[compression.name],
    )  # fmt: skip
    measure(session, plan, measure_produce)


@command(
    app,
    "consume",
    "godel bench consume",
    "godel bench consume -n 1000000 --size 1000 --partitions 4",
    "godel bench consume --topic flights --for 10s",
)
def consume(
    session: Session,
    *,
    records: Records = None,
    duration: For = None,
    size: Size = 100,
    partitions: Partitions = 1,
    compression: CompressionOption = Codec.NONE,
    topic: Topic = None,
) -> None:
    """Read records from the beginning of a topic. Latency is that of a fetch with its records."""
    count, duration_ms = bounds(records, duration, DEFAULT_RECORDS)
    plan = Plan(
        "consume", "fetch", topic, partitions, count, duration_ms, size,
        compression=Compression[compression.name],
    )  # fmt: skip
    measure(session, plan, measure_consume)


@command(
    app,
    "e2e",
    "godel bench e2e",
    "godel bench e2e --rate 2000 --for 1m",
    "godel bench e2e --acks 1 --output json",
)
def e2e(
    session: Session,
    *,
    records: Records = None,
    duration: For = None,
    size: Size = 100,
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, metavar="N", help="Records a second.")
    ] = DEFAULT_E2E_RATE,
    partitions: Partitions = 1,
    acks: AcksOption = Acks.ALL,
    compression: CompressionOption = Codec.NONE,
    topic: Topic = None,
) -> None:
    """Write and read at once. Latency is from when a record was due until it was read."""
    count, duration_ms = bounds(records, duration, DEFAULT_E2E_RECORDS)
    plan = Plan(
        "e2e", "record", topic, partitions, count, duration_ms, max(size, MARK.size),
        acks=ACKS[acks], compression=Compression[compression.name], rate=rate,
    )  # fmt: skip
    measure(session, plan, measure_e2e)


Benchmark = Callable[[Cluster, str, Plan, Measurement], Awaitable[None]]


def measure(session: Session, plan: Plan, benchmark: Benchmark) -> None:
    """Run a benchmark under its live view; what was measured is shown, also after Ctrl-C."""
    measurement = Measurement(session.clock)
    named: list[str] = []

    async def work(cluster: Cluster) -> None:
        async with topic_of(cluster, plan) as topic:
            named.append(topic)
            with live(f"{plan.benchmark}: {topic}", measurement):
                try:
                    await benchmark(cluster, topic, plan, measurement)
                finally:
                    measurement.end()

    try:
        session.run(work)
    except KeyboardInterrupt:
        say("interrupted; until then:")
        show(session, plan, named, measurement)
        raise
    show(session, plan, named, measurement)


def show(session: Session, plan: Plan, named: list[str], measurement: Measurement) -> None:
    heading = {"benchmark": plan.benchmark, "topic": named[0] if named else None}
    result = heading | measurement.row() | {"latency_of": plan.latency_of}
    session.description(result, DESCRIBED)


@asynccontextmanager
async def topic_of(cluster: Cluster, plan: Plan) -> AsyncIterator[str]:
    if plan.topic is not None:
        await named_topics(cluster, [plan.topic])
        yield plan.topic
        return
    async with scratch_topic(cluster, "bench", partitions=plan.partitions) as name:
        yield name


async def opened(cluster: Cluster, topic: str, plan: Plan) -> Producer:
    return await open_producer(cluster, topic, acks=plan.acks, compression=plan.compression)


def payload(cluster: Cluster, size: int) -> bytes:
    """Bytes that do not compress well within a record."""
    return b"".join(cluster.randomness.uuid_bytes() for _ in range(size // 16 + 1))[:size]


async def measure_produce(
    cluster: Cluster, topic: str, plan: Plan, measurement: Measurement
) -> None:
    producer = await opened(cluster, topic, plan)
    record = NewRecord(None, payload(cluster, plan.size))
    fitting = max((BATCH_BYTES - 1) // (plan.size + RECORD_OVERHEAD_BYTES), 1)
    # A full batch is sent by itself; one record may be as much.
    largest = min(plan.batch, fitting, BATCH_RECORDS - 1)
    measurement.begin()
    while not plan.is_over(measurement, measurement.records):
        left = largest if plan.records is None else plan.records - measurement.records
        count = min(largest, left)
        began_ms = cluster.clock.monotonic_ms()
        for _ in range(count):
            await producer.add(record)
        await producer.flush()
        measurement.latencies.add(cluster.clock.monotonic_ms() - began_ms)
        stop_when_rejected(producer)
        measurement.count(count, count * plan.size)


async def measure_consume(
    cluster: Cluster, topic: str, plan: Plan, measurement: Measurement
) -> None:
    if plan.topic is None:
        await fill(cluster, topic, plan)
    (found,) = await named_topics(cluster, [topic])
    there = await spans(cluster, found.indexes())
    reader = Reader(cluster, {each: span.start for each, span in there.items()})
    empty_polls = 0
    measurement.begin()
    while not plan.is_over(measurement, measurement.records) and any(
        reader.positions[each] < span.end for each, span in there.items()
    ):
        began_ms = cluster.clock.monotonic_ms()
        batches = await reader.poll()
        for batch in batches:
            sizes = [len(each.key or b"") + len(each.value or b"") for each in batch.records()]
            measurement.count(len(sizes), sum(sizes))
        if batches:
            measurement.latencies.add(cluster.clock.monotonic_ms() - began_ms)
        empty_polls = 0 if batches else empty_polls + 1
        if empty_polls == EMPTY_POLLS:
            return


async def fill(cluster: Cluster, topic: str, plan: Plan) -> None:
    """What is to be read afterwards. The smaller its batches, the more partitions get some."""
    producer = await opened(cluster, topic, plan)
    record = NewRecord(None, payload(cluster, plan.size))
    for number in range(plan.records or DEFAULT_RECORDS):
        await producer.add(record)
        if number % plan.batch == 0:
            await producer.flush()
    await producer.flush()
    stop_when_rejected(producer)


async def measure_e2e(cluster: Cluster, topic: str, plan: Plan, measurement: Measurement) -> None:
    (found,) = await named_topics(cluster, [topic])
    there = await spans(cluster, found.indexes())
    reader = Reader(cluster, {each: span.end for each, span in there.items()})
    producer = await opened(cluster, topic, plan)
    measurement.begin()
    await EndToEnd(cluster, plan, producer, reader).run(measurement)


class EndToEnd:
    """A writer that keeps to a rate, and a reader beside it. Owns how much is under way.

    The latency counts from when a record was due, so a cluster that holds the writer up pays for
    every record that had to wait.
    """

    def __init__(self, cluster: Cluster, plan: Plan, producer: Producer, reader: Reader) -> None:
        self._clock = cluster.clock
        self._patience_ms = cluster.timeout_ms
        self._plan = plan
        self._producer = producer
        self._reader = reader
        self._tag = cluster.randomness.uuid_bytes()[:8]
        self._padding = payload(cluster, plan.size - MARK.size)
        self._sent = 0
        self._deadline_ms: float | None = None
        """Set when everything is written: until then the rest must have come."""

    async def run(self, measurement: Measurement) -> None:
        failures: list[Exception] = []
        async with anyio.create_task_group() as group:

            async def watched(work: Callable[[Measurement], Awaitable[None]]) -> None:
                try:
                    await work(measurement)
                except Exception as error:  # noqa: BLE001 - raised below, without a group around it
                    failures.append(error)
                    group.cancel_scope.cancel()

            group.start_soon(watched, self._read)
            group.start_soon(watched, self._write)
        if failures:
            raise failures[0]

    async def _write(self, measurement: Measurement) -> None:
        began_ms = self._clock.monotonic_ms()
        interval_ms = 1000 / (self._plan.rate or DEFAULT_E2E_RATE)
        while not self._plan.is_over(measurement, self._sent):
            due_ms = began_ms + self._sent * interval_ms
            if due_ms > self._clock.monotonic_ms():
                await self._producer.flush()
                await self._clock.sleep(max(due_ms - self._clock.monotonic_ms(), 0))
            mark = MARK.pack(self._tag, due_ms)
            await self._producer.add(NewRecord(None, mark + self._padding))
            self._sent += 1
        await self._producer.flush()
        stop_when_rejected(self._producer)
        self._deadline_ms = self._clock.monotonic_ms() + self._patience_ms

    async def _read(self, measurement: Measurement) -> None:
        while self._deadline_ms is None or measurement.records < self._sent:
            if self._deadline_ms is not None and self._clock.monotonic_ms() > self._deadline_ms:
                lost = self._sent - measurement.records
                raise Refused(f"{lost:,} of {self._sent:,} records were not read in time")
            for batch in await self._reader.poll():
                now_ms = self._clock.monotonic_ms()
                for record in batch.records():
                    self._take(record.value or b"", now_ms, measurement)

    def _take(self, value: bytes, now_ms: float, measurement: Measurement) -> None:
        """Records of others, in a topic that is there already, do not count."""
        if len(value) < MARK.size or not value.startswith(self._tag):
            return
        _, due_ms = MARK.unpack_from(value)
        measurement.latencies.add(now_ms - due_ms)
        measurement.count(1, len(value))


def stop_when_rejected(producer: Producer) -> None:
    if producer.rejected:
        first = producer.rejected[0]
        raise Refused(f"record {first.number} was rejected: {described(first.error)}")
