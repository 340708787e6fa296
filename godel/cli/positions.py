"""Where in a topic to begin or end: `beginning`, `end`, an offset or a time.

beginning | end      (also earliest, start | latest)
42                   that offset, within what there is
+10 | -10            so many after the beginning | before the end of each partition
2026-01-31T12:00:00Z the first record at or after a time (see times.py for all forms)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

import typer

from godel.cli.exits import Refused, Status
from godel.cli.times import parse_time
from godel.client.cluster import Cluster
from godel.client.offsets import offsets_at, spans
from godel.client.topics import Topic
from godel.clock import Clock
from godel.types import TopicPartition


class Anchor(Enum):
    """What the number of a position counts from."""

    BEGINNING = auto()
    END = auto()
    OFFSET = auto()
    TIME = auto()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in every partition: so many records from an anchor, or a time."""

    anchor: Anchor
    number: int = 0


BEGINNING = Position(Anchor.BEGINNING)
END = Position(Anchor.END)
WORDS = {
    "beginning": BEGINNING,
    "earliest": BEGINNING,
    "start": BEGINNING,
    "end": END,
    "latest": END,
}


def parse_position(text: str, clock: Clock) -> Position:
    """A position as it is typed."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if text.isdecimal():
        return Position(Anchor.OFFSET, int(text))
    if text[:1] in "+-" and text[1:].isdecimal():
        anchor = Anchor.BEGINNING if text[0] == "+" else Anchor.END
        return Position(anchor, int(text))
    try:
        return Position(Anchor.TIME, parse_time(text, clock.now_ms()))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; or beginning, end, an offset, +N or -N") from None


async def resolve(
    cluster: Cluster, partitions: Iterable[TopicPartition], position: Position
) -> dict[TopicPartition, int]:
    """The offset of a position in each partition, within what the partition holds."""
    wanted = list(partitions)
    if position.anchor is Anchor.TIME:
        return await offsets_at(cluster, wanted, position.number)
    found: dict[TopicPartition, int] = {}
    for partition, span in (await spans(cluster, wanted)).items():
        match position.anchor:
            case Anchor.BEGINNING:
                offset = span.start + position.number
            case Anchor.END:
                offset = span.end + position.number
            case Anchor.OFFSET:
                offset = position.number
            case _:
                assert_never(position.anchor)
        found[partition] = min(max(offset, span.start), span.end)
    return found


def chosen_partitions(topic: Topic, indexes: Iterable[int] | None) -> list[TopicPartition]:
    """These partitions of a topic, or all of them."""
    there = topic.indexes()
    if not indexes:
        return there
    chosen = [TopicPartition(topic.name, index) for index in dict.fromkeys(indexes)]
    for partition in chosen:
        if partition not in there:
            raise Refused(
                f"topic {topic.name} has the partitions 0 to {len(there) - 1}, "
                f"and no {partition.partition}",
                status=Status.NOT_FOUND,
            )
    return chosen
