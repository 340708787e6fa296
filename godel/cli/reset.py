"""Where a reset moves the offsets of a group: the methods of Kafka's kafka-consumer-groups.

to-earliest, to-latest     the beginning, the end of each partition
to-offset N                that offset, within what the partition holds
shift-by N                 so many on from the committed offset, or back, within it, too
to-datetime TIME           the first record at or after a time; the end where all is older
by-duration DURATION       the same, counted back from now
to-current                 the committed offset; the end where nothing is committed
from-file FILE             lines of topic,partition,offset
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import typer

from godel.cli.exits import Refused, Status
from godel.cli.positions import BEGINNING, END, Anchor, Position, resolve
from godel.cli.times import parse_duration, parse_time
from godel.client.cluster import Cluster
from godel.client.groups import Committed, committed_offsets
from godel.client.offsets import spans
from godel.client.topics import named_topics
from godel.clock import Clock
from godel.types import TopicPartition


class Method(StrEnum):
    """How a new offset is found."""

    TO_EARLIEST = "to-earliest"
    TO_LATEST = "to-latest"
    TO_OFFSET = "to-offset"
    SHIFT_BY = "shift-by"
    TO_DATETIME = "to-datetime"
    BY_DURATION = "by-duration"
    TO_CURRENT = "to-current"
    FROM_FILE = "from-file"


@dataclass(frozen=True, slots=True)
class Reset:
    """A method with what it was given: a position for all partitions, or what else it needs."""

    method: Method
    position: Position | None = None
    shift: int = 0
    offsets: dict[TopicPartition, int] | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What a reset does to one partition."""

    partition: TopicPartition
    committed: int | None
    offset: int


def parse_reset(method: Method, text: str, clock: Clock) -> Reset:
    """A method as it is typed."""
    try:
        match method:
            case Method.TO_EARLIEST:
                return Reset(method, BEGINNING)
            case Method.TO_LATEST:
                return Reset(method, END)
            case Method.TO_OFFSET:
                return Reset(method, Position(Anchor.OFFSET, int(text)))
            case Method.TO_DATETIME:
                return Reset(method, Position(Anchor.TIME, parse_time(text, clock.now_ms())))
            case Method.BY_DURATION:
                time_ms = clock.now_ms() - parse_duration(text)
                return Reset(method, Position(Anchor.TIME, time_ms))
            case Method.SHIFT_BY:
                return Reset(method, shift=int(text))
            case Method.FROM_FILE:
                return Reset(method, offsets=read_offsets(text))
            case Method.TO_CURRENT:
                return Reset(method)
            case _:
                assert_never(method)
    except ValueError as error:
        raise typer.BadParameter(f"--{method}: {error}") from None


async def plan_reset(
    cluster: Cluster, group: str, topics: Sequence[str], reset: Reset
) -> list[Move]:
    """What a reset does: to these topics (`topic` or `topic:0,1`), or to all with an offset."""
    committed = await committed_offsets(cluster, group)
    if reset.offsets is not None:
        partitions = list(reset.offsets)
    elif topics:
        partitions = await chosen(cluster, topics)
    else:
        partitions = list(committed)
    if not partitions:
        raise Refused(f"group {group} has committed nothing", hint="--topic says which topics")
    offsets = await _offsets(cluster, partitions, committed, reset)
    return [
        Move(each, committed[each].offset if each in committed else None, offsets[each])
        for each in sorted(partitions)
    ]


async def chosen(cluster: Cluster, topics: Sequence[str]) -> list[TopicPartition]:
    """The partitions that `topic` and `topic:0,1` name, as in Kafka's tool."""
    asked = [_topic_and_indexes(text) for text in topics]
    found: list[TopicPartition] = []
    for topic, (_, indexes) in zip(
        await named_topics(cluster, [name for name, _ in asked]), asked, strict=True
    ):
        there = topic.indexes()
        wanted = there if indexes is None else [TopicPartition(topic.name, i) for i in indexes]
        for each in wanted:
            if each not in there:
                message = f"topic {topic.name} has no partition {each.partition}"
                raise Refused(message, status=Status.NOT_FOUND)
        found += wanted
    return list(dict.fromkeys(found))


def _topic_and_indexes(text: str) -> tuple[str, list[int] | None]:
    name, colon, rest = text.partition(":")
    if not colon:
        return name, None
    parts = rest.split(",")
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{text!r} is not TOPIC or TOPIC:0,1")
    return name, [int(part) for part in parts]


async def _offsets(
    cluster: Cluster,
    partitions: Sequence[TopicPartition],
    committed: dict[TopicPartition, Committed],
    reset: Reset,
) -> dict[TopicPartition, int]:
    if reset.position is not None:
        return await resolve(cluster, partitions, reset.position)
    found: dict[TopicPartition, int] = {}
    for partition, span in (await spans(cluster, partitions)).items():
        if reset.offsets is not None:
            wanted = reset.offsets[partition]
        elif partition in committed:
            wanted = committed[partition].offset + reset.shift
        elif reset.method is Method.TO_CURRENT:
            wanted = span.end
        else:
            raise Refused(f"nothing is committed for {partition}, so there is nothing to shift")
        found[partition] = min(max(wanted, span.start), span.end)
    return found


def read_offsets(path: str) -> dict[TopicPartition, int]:
    """Lines of topic,partition,offset, as `groups offsets --export` writes. Raises `ValueError`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", status=Status.NOT_FOUND) from None
    found: dict[TopicPartition, int] = {}
    for number, fields in enumerate(csv.reader(text.splitlines()), 1):
        if not fields:
            continue
        try:
            topic, partition, offset = fields
            found[TopicPartition(topic.strip(), int(partition))] = int(offset)
        except ValueError:
            raise ValueError(f"{path} line {number} is not topic,partition,offset") from None
    if not found:
        raise ValueError(f"{path} names no offset")
    return found
