"""What `godel topics` shows of topics and partitions, and which topics a pattern chooses."""

from __future__ import annotations

import fnmatch
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

import typer

from godel.cli.output import Column, Section, columns, size, warn
from godel.client.brokers import leaders_sizes
from godel.client.cluster import Cluster
from godel.client.configs import Kind, Resource, describe_configs
from godel.client.offsets import spans_where_led
from godel.client.outcomes import NotFound
from godel.client.topics import Topic, all_topics
from godel.types import ZERO_ID, TopicPartition

SIZE = Column("size_bytes", size, right=True, title="size")
RECORDS = Column("records", right=True)
PARTITION_COLUMNS: tuple[str | Column, ...] = (
    ">partition", ">leader", ">epoch", "replicas", "isr", ">start", ">end", RECORDS, SIZE,
)  # fmt: skip
DESCRIBED = columns("name", "id", "internal", "partitions", "replicas", "records", SIZE)
SECTIONS = (
    Section("partitions_detail", columns(*PARTITION_COLUMNS)),
    Section("configs", columns("name", "value", "source")),
)


def summary(topic: Topic) -> dict[str, Any]:
    """A topic in a list."""
    return {
        "name": topic.name,
        "partitions": len(topic.partitions),
        "replicas": topic.replication_factor,
        "internal": topic.is_internal,
        "under_replicated": topic.under_replicated,
        "without_leader": topic.without_leader,
    }


async def add_sizes(cluster: Cluster, topics: Sequence[Topic], rows: list[dict[str, Any]]) -> None:
    """Count records and bytes of topics into their rows."""
    sizes = await leaders_sizes(cluster)
    spans = await spans_where_led(cluster, [each for topic in topics for each in topic.indexes()])
    for topic, row in zip(topics, rows, strict=True):
        there = [spans[each] for each in topic.indexes() if each in spans]
        row["records"] = sum(span.end - span.start for span in there)
        row["size_bytes"] = sum(sizes.get(each, 0) for each in topic.indexes())


async def description(
    cluster: Cluster, topic: Topic, sizes: dict[TopicPartition, int]
) -> dict[str, Any]:
    """Everything about a topic; of its settings those that were set for it."""
    partitions = await partition_rows(cluster, topic, sizes)
    configs = await describe_configs(cluster, Resource(Kind.TOPIC, topic.name))
    return summary(topic) | {
        "id": id_text(topic.id),
        "records": sum(row["records"] or 0 for row in partitions),
        "size_bytes": sum(row["size_bytes"] or 0 for row in partitions),
        "partitions_detail": partitions,
        "configs": [
            {"name": each.name, "value": each.value, "source": each.source}
            for each in configs
            if each.is_own
        ],
    }


def id_text(topic_id: bytes) -> str | None:
    """An id as Kafka writes it: 22 characters of base64."""
    return None if topic_id == ZERO_ID else urlsafe_b64encode(topic_id).decode().rstrip("=")


async def partition_rows(
    cluster: Cluster, topic: Topic, sizes: dict[TopicPartition, int]
) -> list[dict[str, Any]]:
    """The partitions of a topic. Records are counted by offsets: gaps count, too."""
    spans = await spans_where_led(cluster, topic.indexes())
    rows = []
    for each in topic.partitions:
        where = TopicPartition(topic.name, each.partition_index)
        span = spans.get(where)
        rows.append(
            {
                "partition": each.partition_index,
                "leader": each.leader_id if each.leader_id >= 0 else None,
                "epoch": each.leader_epoch,
                "replicas": each.replica_nodes,
                "isr": each.isr_nodes,
                "start": span.start if span else None,
                "end": span.end if span else None,
                "records": span.end - span.start if span else None,
                "size_bytes": sizes.get(where),
            }
        )
    return rows


async def min_insync_replicas(cluster: Cluster, topic: str) -> int:
    """How many replicas must be in sync for acks=all."""
    resource = Resource(Kind.TOPIC, topic)
    for config in await describe_configs(cluster, resource, ["min.insync.replicas"]):
        return int(config.value or 1)
    return 1


def warn_about(rows: Sequence[dict[str, Any]]) -> None:
    """What an operator should look at, after the table; each partition once."""
    for row in rows:
        dead = row["without_leader"]
        behind = [index for index in row["under_replicated"] if index not in dead]
        for indexes, words in (
            (dead, "without a leader"),
            (behind, "with fewer replicas in sync than there should be"),
        ):
            if indexes:
                warn(f"{row['name']}: partitions {words}: {', '.join(map(str, indexes))}")


def matcher(pattern: str | None, *, regex: bool) -> Callable[[str], bool]:
    """Whether a name is chosen by a pattern of the command line."""
    if pattern is None:
        return lambda _name: True
    try:
        expression = re.compile(pattern if regex else fnmatch.translate(pattern))
    except re.error as error:
        raise typer.BadParameter(f"{pattern!r} is no regular expression: {error}") from None
    return lambda name: expression.fullmatch(name) is not None


async def matching(
    cluster: Cluster, patterns: Sequence[str], *, regex: bool, may_miss: bool = False
) -> list[str]:
    """The topics that patterns choose. A plain name must exist; wildcards spare internal topics."""
    topics = await all_topics(cluster)
    names = [topic.name for topic in topics]
    chosen: dict[str, None] = {}
    for pattern in patterns:
        if not regex and not any(c in pattern for c in "*?["):
            if pattern in names:
                chosen[pattern] = None
            elif not may_miss:
                raise NotFound("topic", pattern, names)
            continue
        matches = matcher(pattern, regex=regex)
        chosen |= {t.name: None for t in topics if not t.is_internal and matches(t.name)}
    return list(chosen)
