"""What a KRaft quorum's log says of topics, read from a `__cluster_metadata-0` folder.

The folder holds snapshots, `OFFSET-EPOCH.checkpoint`, and the segments of the log; the newest
snapshot and what follows it are replayed. Only what an import takes over is understood, everything
else (ACLs, users, brokers) is counted as left out or passed over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from godel.errors import CorruptBatch, DecodeError
from godel.protocol import codec
from godel.protocol.message import Message
from godel.protocol.messages.cluster_metadata import (
    ABORT_TRANSACTION,
    BEGIN_TRANSACTION,
    END_TRANSACTION,
    RECORD_KINDS,
    SAME_LEADER,
    ClientQuotaRecord,
    ConfigRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from godel.protocol.wire import long_varint
from godel.records.batch import BatchHeader, iterate_records
from godel.security.quotas import Entity
from godel.storage import batch_scan, layout
from godel.storage.files import Files, join
from godel.types import TopicId

FRAME_VERSION = 1
TOPIC_RESOURCE, BROKER_RESOURCE, GROUP_RESOURCE = 2, 4, 32
LEFT_OUT = {11: "users", 18: "ACLs"}
"""Kinds that matter to an operator and mean nothing to an import."""
SNAPSHOT = re.compile(r"(\d{20})-\d{10}\.checkpoint")


class Frame(NamedTuple):
    """A record of the quorum before it is decoded."""

    kind: int
    version: int
    body: bytes


class UnreadableMetadata(Exception):
    """The quorum's log holds something that is not understood; the message says where."""


@dataclass(slots=True)
class KafkaPartition:
    leader_epoch: int
    replicas: tuple[int, ...]


@dataclass(slots=True)
class KafkaTopic:
    name: str
    partitions: dict[int, KafkaPartition] = field(default_factory=dict)


@dataclass(slots=True)
class KafkaMetadata:
    """The state after all records."""

    topics: dict[TopicId, KafkaTopic] = field(default_factory=dict)
    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of topics, by name."""
    broker_configs: dict[str, dict[str, str]] = field(default_factory=dict)
    """By id; "" is the cluster's default."""
    group_configs: dict[str, dict[str, str]] = field(default_factory=dict)
    client_quotas: dict[Entity, dict[str, float]] = field(default_factory=dict)
    next_producer_id: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def apply(self, record: Message) -> None:
        if isinstance(record, TopicRecord):
            self.topics[record.topic_id] = KafkaTopic(record.name)
        elif isinstance(record, RemoveTopicRecord):
            gone = self.topics.pop(record.topic_id, None)
            if gone is not None:
                self.configs.pop(gone.name, None)
        elif isinstance(record, PartitionRecord):
            if record.topic_id in self.topics:
                partitions = self.topics[record.topic_id].partitions
                partitions[record.partition_id] = KafkaPartition(
                    record.leader_epoch, tuple(record.replicas)
                )
        elif isinstance(record, PartitionChangeRecord):
            self._change(record)
        elif isinstance(record, ConfigRecord):
            self._configure(record)
        elif isinstance(record, ClientQuotaRecord):
            self._limit(record)
        elif isinstance(record, ProducerIdsRecord):
            self.next_producer_id = max(self.next_producer_id, record.next_producer_id)

    def _change(self, record: PartitionChangeRecord) -> None:
        if record.topic_id not in self.topics:
            return
        partition = self.topics[record.topic_id].partitions[record.partition_id]
        if record.leader != SAME_LEADER:
            partition.leader_epoch += 1
        if record.replicas is not None:
            partition.replicas = tuple(record.replicas)

    def _configure(self, record: ConfigRecord) -> None:
        kinds = {
            TOPIC_RESOURCE: self.configs,
            BROKER_RESOURCE: self.broker_configs,
            GROUP_RESOURCE: self.group_configs,
        }
        configs = kinds.get(record.resource_type, {}).setdefault(record.resource_name, {})
        if record.value is None:
            configs.pop(record.name, None)
        else:
            configs[record.name] = record.value

    def _limit(self, record: ClientQuotaRecord) -> None:
        entity = tuple(sorted((one.entity_type, one.entity_name) for one in record.entity))
        quotas = self.client_quotas.setdefault(entity, {})
        if record.remove:
            quotas.pop(record.key, None)
        else:
            quotas[record.key] = record.value


def read_kafka_metadata(files: Files, folder: str) -> KafkaMetadata:
    """Raises `UnreadableMetadata`, OSError."""
    names = files.list_files(folder)
    snapshots = sorted(name for name in names if SNAPSHOT.fullmatch(name))
    begin = 0
    frames: list[Frame] = []
    if snapshots:
        begin = int(snapshots[-1][:20])
        frames += _read(files, join(folder, snapshots[-1]), 0)
    parsed = [one for one in map(layout.parse_segment_file, names) if one is not None]
    for base_offset in sorted(one.base_offset for one in parsed if one.suffix == layout.LOG):
        frames += _read(files, join(folder, layout.segment_file(base_offset, layout.LOG)), begin)
    state = KafkaMetadata()
    try:
        for frame in _committed(frames):
            _apply(frame, state)
    except (DecodeError, LookupError, ValueError) as problem:
        raise UnreadableMetadata(f"{folder}: {problem!r}") from None
    return state


def _read(files: Files, path: str, begin: int) -> list[Frame]:
    """The records from offset `begin` on. The torn end of a crash is no part of the log."""
    data = memoryview(files.read(path))
    frames: list[Frame] = []

    def on_batch(position: int, header: BatchHeader) -> None:
        if not header.is_control and header.last_offset >= begin:
            frames.extend(
                _frame(record.value)
                for record in iterate_records(data[position:])
                if record.value is not None and record.offset >= begin
            )

    try:
        result = batch_scan.scan(
            lambda position, size_bytes: bytes(data[position : position + size_bytes]),
            on_batch,
            position=0,
            next_offset=0,
            size_bytes=len(data),
            base_offset=0,
        )
        if result.problem is not None:
            rest = bytes(data[result.position :])
            if batch_scan.find_batch(rest, 1, result.next_offset) is not None:
                raise UnreadableMetadata(f"{path} at {result.position}: {result.problem}")
    except (DecodeError, CorruptBatch, ValueError, IndexError) as problem:
        raise UnreadableMetadata(f"{path}: {problem!r}") from None
    return frames


def _frame(value: bytes) -> Frame:
    """Raises `DecodeError`, IndexError, ValueError."""
    frame_version, at = _varint(value, 0)
    if frame_version != FRAME_VERSION:
        raise ValueError(f"frame version {frame_version}")
    kind, at = _varint(value, at)
    version, at = _varint(value, at)
    return Frame(kind, version, value[at:])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    return (first, at + 1) if first < 0x80 else long_varint(data, at + 1, first)


def _committed(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Without those inside an aborted or unfinished bracket."""
    bracket: list[Frame] | None = None
    for frame in frames:
        if frame.kind == BEGIN_TRANSACTION:
            bracket = []
        elif frame.kind == END_TRANSACTION:
            yield from bracket or ()
            bracket = None
        elif frame.kind == ABORT_TRANSACTION:
            bracket = None
        elif bracket is not None:
            bracket.append(frame)
        else:
            yield frame


def _apply(frame: Frame, state: KafkaMetadata) -> None:
    if frame.kind in LEFT_OUT:
        state.left_out[LEFT_OUT[frame.kind]] += 1
    elif frame.kind in RECORD_KINDS:
        state.apply(codec.decode(RECORD_KINDS[frame.kind], frame.body, frame.version))
