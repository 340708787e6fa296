"""What there is to import in data directories of Apache Kafka, and whether it is all of it.

A directory has a folder per partition and, where the node was a controller too, the quorum's log
`__cluster_metadata-0`, which says what topics there are and how they are set. Without that log (the
node was a broker only, or used ZooKeeper) topics are what the folders say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from godel.clock import Randomness
from godel.metadata.identifiers import CLUSTER_METADATA, name_problem, new_id
from godel.operations.findings import Finding, note
from godel.operations.gathering import Offsets, Source, read_checkpoint
from godel.operations.kafka_metadata import (
    KafkaMetadata,
    KafkaPartition,
    KafkaTopic,
    UnreadableMetadata,
    read_kafka_metadata,
)
from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint
from godel.storage.data_directory import DataDirectoryError
from godel.storage.files import Files, join
from godel.storage.partition_metadata import id_text, read_partition_metadata
from godel.types import TopicId, TopicPartition

QUORUM = TopicPartition(CLUSTER_METADATA, 0)


class NotImportable(DataDirectoryError):
    """Something is missing or not understood. The message says where, and what to do."""


@dataclass(slots=True)
class KafkaData:
    """All that is to be imported."""

    cluster_id: str | None
    node_id: int | None
    metadata: KafkaMetadata
    has_quorum: bool
    sources: Mapping[TopicPartition, Source]
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """What the directories hold."""

    cluster_ids: dict[str, str] = field(default_factory=dict)
    """The directory of each."""
    node_ids: list[int] = field(default_factory=list)
    quorum: str | None = None
    sources: dict[TopicPartition, Source] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_kafka_directories(files: Files, paths: Sequence[str], randomness: Randomness) -> KafkaData:
    """Raises `NotImportable`, `DataDirectoryError`, OSError."""
    found = _Found()
    for path in paths:
        _look_into(files, path, found)
    if len(found.cluster_ids) > 1:
        places = ", ".join(f"{path} of {id}" for id, path in found.cluster_ids.items())
        raise NotImportable(f"these are of different clusters: {places}; import one after another")
    if not found.sources and found.quorum is None:
        raise NotImportable(
            f"{paths[0]} holds no partitions of Apache Kafka (folders like orders-0); give the "
            "folder that log.dirs names in its server.properties"
        )
    if found.quorum is not None:
        try:
            metadata = read_kafka_metadata(files, found.quorum)
        except UnreadableMetadata as damage:
            raise NotImportable(
                f"the quorum's log cannot be read: {damage}; start Apache Kafka on it once and "
                f"stop it, or move {found.quorum} away: topics then have the broker's settings"
            ) from None
    else:
        metadata = _metadata_of(files, found, randomness)
    sources = _matched(files, found, metadata)
    return KafkaData(
        cluster_id=next(iter(found.cluster_ids), None),
        node_id=found.node_ids[0] if found.node_ids else None,
        metadata=metadata,
        has_quorum=found.quorum is not None,
        sources=sources,
        findings=found.findings,
    )


def _look_into(files: Files, path: str, found: _Found) -> None:
    names = {*files.list_files(path), *files.list_folders(path)}
    if layout.GODEL_JSON in names:
        raise NotImportable(
            f"{path} is a data directory of Gödel; copy it with `godel-broker backup`"
        )
    if layout.META_PROPERTIES in names:
        _read_properties(files, join(path, layout.META_PROPERTIES), path, found)
    starts = read_checkpoint(files, join(path, layout.LOG_START_CHECKPOINT))
    recovery_points = read_checkpoint(files, join(path, layout.RECOVERY_POINT_CHECKPOINT))
    for name in sorted(files.list_folders(path)):
        partition = layout.parse_partition_folder(name)
        if partition == QUORUM:
            found.quorum = join(path, name)
        elif partition is not None:
            _add(join(path, name), partition, starts, recovery_points, found)
        elif name.endswith(("-delete", "-stray", "-future")):
            what = "a folder of no partition that is served: left out"
            found.findings.append(note(join(path, name), what))


def _read_properties(files: Files, file: str, path: str, found: _Found) -> None:
    lines = files.read(file).decode(errors="replace").splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    node_id = values.get("node.id", values.get("broker.id"))
    if "cluster.id" in values:
        found.cluster_ids.setdefault(values["cluster.id"].replace("\\", ""), path)
    if node_id is not None:
        try:
            found.node_ids.append(int(node_id))
        except ValueError:
            raise NotImportable(f"{file}: {node_id!r} is not the id of a node") from None


def _add(
    folder: str,
    partition: TopicPartition,
    starts: Offsets,
    recovery_points: Offsets,
    found: _Found,
) -> None:
    other = found.sources.get(partition)
    if other is not None:
        raise NotImportable(
            f"{other.folder} and {folder} are the same partition; give one directory of each "
            "replica only"
        )
    problem = name_problem(partition.topic)
    if problem is not None:
        raise NotImportable(f"{folder}: {problem}")
    found.sources[partition] = Source(
        folder, starts.get(partition, 0), recovery_points.get(partition, 0)
    )


def _topic_id(files: Files, folder: str) -> TopicId | None:
    try:
        return read_partition_metadata(files, folder)
    except DamagedCheckpoint as damage:
        raise NotImportable(
            f"{damage}; remove the file if the folder is known to be of this topic"
        ) from None


# -- with the quorum's log ------------------------------------------------------------------------


def _matched(files: Files, found: _Found, metadata: KafkaMetadata) -> dict[TopicPartition, Source]:
    """The folders of the topics that exist; what is missing is refused or told."""
    ids = {topic.name: topic_id for topic_id, topic in metadata.topics.items()}
    matched: dict[TopicPartition, Source] = {}
    for partition, source in sorted(found.sources.items()):
        topic_id = ids.get(partition.topic)
        theirs = _topic_id(files, source.folder)
        if topic_id is None or partition.partition not in metadata.topics[topic_id].partitions:
            found.findings.append(note(source.folder, "of no topic that exists: left out"))
        elif theirs is not None and theirs != topic_id:
            what = f"of an earlier topic of this name, {id_text(theirs)}: left out"
            found.findings.append(note(source.folder, what))
        else:
            matched[partition] = source
    for partition in _partitions(metadata):
        if partition not in matched:
            found.findings.append(_missing(partition, metadata.topics[ids[partition.topic]], found))
    return matched


def _partitions(metadata: KafkaMetadata) -> Iterator[TopicPartition]:
    for topic in metadata.topics.values():
        if sorted(topic.partitions) != list(range(len(topic.partitions))):
            raise NotImportable(f"the quorum's log has only some of the partitions of {topic.name}")
        for number in topic.partitions:
            yield TopicPartition(topic.name, number)


def _missing(partition: TopicPartition, topic: KafkaTopic, found: _Found) -> Finding:
    replicas = topic.partitions[partition.partition].replicas
    if found.node_ids and not {*replicas} & {*found.node_ids}:
        raise NotImportable(
            f"{partition} is on the nodes {', '.join(map(str, replicas))} and not here; give the "
            "directories of all nodes that have partitions, or move them to one before"
        )
    return note(str(partition), "has no folder: the partition begins empty")


# -- without it -----------------------------------------------------------------------------------


def _metadata_of(files: Files, found: _Found, randomness: Randomness) -> KafkaMetadata:
    """Topics as the folders have them."""
    ids: dict[str, TopicId] = {}
    metadata = KafkaMetadata()
    for partition, source in sorted(found.sources.items()):
        topic_id = _topic_id(files, source.folder)
        known = ids.setdefault(partition.topic, topic_id or new_id(randomness))
        if topic_id is not None and topic_id != known:
            raise NotImportable(
                f"{source.folder} is of another topic {partition.topic} than the partitions before "
                "it: one has been deleted; move its folders away"
            )
        topic = metadata.topics.setdefault(known, KafkaTopic(partition.topic))
        topic.partitions[partition.partition] = KafkaPartition(-1, ())
    for topic in metadata.topics.values():
        missing = set(range(max(topic.partitions) + 1)) - topic.partitions.keys()
        if missing:
            raise NotImportable(
                f"{topic.name}-{min(missing)} is not here; give all directories that have "
                "partitions of the topic"
            )
    what = (
        "there is no log of a KRaft quorum: all topics have the broker's settings (a --config "
        "with those of the old server.properties is worth while)"
    )
    found.findings.append(note(", ".join(found.cluster_ids.values()) or "metadata", what))
    return metadata
