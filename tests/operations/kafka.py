"""A data directory as Apache Kafka leaves it, written by our own writer in Kafka's formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from godel.protocol import codec
from godel.protocol.message import Message
from godel.protocol.messages.cluster_metadata import (
    RECORD_KINDS,
    ClientQuotaRecord,
    ConfigRecord,
    EntityData,
    PartitionRecord,
    ProducerIdsRecord,
    TopicRecord,
)
from godel.records.builder import NewRecord, build_batch
from godel.storage.checkpoint_file import write_offsets
from godel.storage.files import join
from godel.storage.memory_files import MemoryFiles
from godel.storage.partition_metadata import write_partition_metadata
from godel.types import TopicPartition
from tests.storage.harness import append, append_values, batch_of, open_log, put

PATH = "kafka"
NODE_ID = 5
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
QUORUM = f"{PATH}/__cluster_metadata-0"
KINDS = {kind: number for number, kind in RECORD_KINDS.items()}
NEXT_PRODUCER_ID = 7000
PRODUCER_ID = 6001


def topic_id(name: str) -> bytes:
    return name.encode().ljust(16, b"\x01")


def frame(record: Message, version: int = 0) -> bytes:
    """The value of a record of the quorum."""
    return framed(KINDS[type(record)], codec.encode(record, version), version)


def framed(kind: int, body: bytes = b"", version: int = 0) -> bytes:
    return bytes((1, kind, version)) + body


def quorum_batch(values: Sequence[bytes], base_offset: int = 0) -> bytes:
    records = [NewRecord(None, value) for value in values]
    return build_batch(records, timestamp_ms=0, base_offset=base_offset, leader_epoch=1)


def topic_records(name: str, partitions: int, replicas: Sequence[int] = (NODE_ID,)) -> list[bytes]:
    made = [frame(TopicRecord(name=name, topic_id=topic_id(name)))]
    for number in range(partitions):
        record = PartitionRecord(
            partition_id=number,
            topic_id=topic_id(name),
            replicas=list(replicas),
            isr=list(replicas),
            leader=replicas[0],
            leader_epoch=3,
        )
        made.append(frame(record))
    return made


def quota_record(key: str, value: float, *, remove: bool = False, **entity: str | None) -> bytes:
    parts = [EntityData(entity_type=kind, entity_name=name) for kind, name in entity.items()]
    return frame(ClientQuotaRecord(entity=parts, key=key, value=value, remove=remove))


def config_records(name: str, configs: Mapping[str, str], kind: int = 2) -> list[bytes]:
    return [
        frame(ConfigRecord(resource_type=kind, resource_name=name, name=key, value=value))
        for key, value in configs.items()
    ]


def write_properties(files: MemoryFiles, path: str = PATH) -> None:
    text = f"#\nversion=1\ncluster.id={CLUSTER_ID}\nnode.id={NODE_ID}\n"
    put(files, f"{path}/meta.properties", text.encode())
    put(files, f"{path}/.lock", b"")


def write_partition(
    files: MemoryFiles, name: str, partition: int = 0, *, batches: int = 30, path: str = PATH
) -> str:
    """A log of several segments, with an idempotent producer in it; the folder."""
    folder = f"{path}/{name}-{partition}"
    log = open_log(files, folder, topic_id=topic_id(name))
    for _ in range(batches):
        append_values(log, 2, size=60)
    sequenced = batch_of([b"a", b"b"], producer_id=PRODUCER_ID, producer_epoch=0, base_sequence=0)
    append(log, sequenced, leader_epoch=9)
    log.close()
    for file in files.list_files(folder):
        if file.endswith("index"):
            put(files, join(folder, file), bytes(1000))  # as Kafka leaves them when it is killed
    return folder


def write_compacted(files: MemoryFiles, name: str) -> None:
    """With gaps within segments and between them."""
    folder = f"{PATH}/{name}-0"
    files.make_folder(folder)
    for base, offsets in ((0, (0, 5, 9)), (20, (25, 30)), (90, (90,))):
        data = b"".join(_at(offset, batch_of([b"%d" % offset])) for offset in offsets)
        put(files, f"{folder}/{base:020d}.log", data)
    write_partition_metadata(files, folder, topic_id(name))


def _at(offset: int, batch: bytes) -> bytes:
    return offset.to_bytes(8, "big") + batch[8:]


def write_kafka(files: MemoryFiles) -> None:
    """Two topics: `t` with two partitions, and `c`, which was compacted."""
    files.make_folder(QUORUM)
    write_properties(files)
    for number in range(2):
        write_partition(files, "t", number)
    write_compacted(files, "c")
    values = [
        *topic_records("t", 2),
        *topic_records("c", 1),
        *config_records("c", {"cleanup.policy": "compact"}),
        *config_records("t", {"retention.ms": "-1", "segment.bytes": "14"}),
        *config_records("", {"log.retention.ms": "5000", "log.dirs": "/kafka"}, 4),
        *config_records("readers", {"consumer.session.timeout.ms": "50000"}, 32),
        frame(ProducerIdsRecord(broker_id=NODE_ID, next_producer_id=NEXT_PRODUCER_ID)),
        quota_record("producer_byte_rate", 5000.0, user="alice"),
        quota_record("connection_creation_rate", 5.0, ip=None),
        framed(18, b"an ACL"),
        framed(12, b"of no concern"),
    ]
    put(files, f"{QUORUM}/{0:020d}.log", quorum_batch(values))
    write_offsets(files, f"{PATH}/log-start-offset-checkpoint", {TopicPartition("t", 1): 7})


def log_bytes(files: MemoryFiles, folder: str) -> bytes:
    names = sorted(name for name in files.list_files(folder) if name.endswith(".log"))
    return b"".join(files.read(join(folder, name)) for name in names)


def make_durable(files: MemoryFiles, folder: str = ".") -> None:
    """Let a power cut leave everything that there is."""
    for name in files.list_folders(folder):
        make_durable(files, join(folder, name))
    for name in files.list_files(folder):
        files.open(join(folder, name)).sync()
    files.sync_folder(folder)


def write_out(files: MemoryFiles, target: Path, folder: str = ".") -> None:
    """Put what is in memory on the disk."""
    for name in files.list_folders(folder):
        (target / folder / name).mkdir()
        write_out(files, target, join(folder, name))
    for name in files.list_files(folder):
        (target / folder / name).write_bytes(files.read(join(folder, name)))
