"""Data that Apache Kafka 3 and 4 have written are served by us, and ours by Apache Kafka.

Kafka itself, from its published jars, writes them, and is stopped or killed. What a client saw
there, it has to see here: every record with its offset and timestamp, groups, settings, producers.
"""

from __future__ import annotations

import shlex
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat_tests import apache_kafka
from compat_tests.brokers import HOST, BrokerProcess, godel_command
from compat_tests.client import Record
from compat_tests.java import jars
from compat_tests.java.runner import need_kafkas_jars
from compat_tests.requirements import missing, need_module, ours_only
from compat_tests.suite import NOON_MS
from compat_tests.waiting import eventually

need_kafkas_jars()
need_module("kafka")

from kafka import KafkaProducer, TopicPartition

from compat_tests.kafka_python.client import KafkaPython
from godel.protocol import codec, frame
from godel.protocol.message import Message
from godel.protocol.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    EntryData,
    OpData,
)
from godel.protocol.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from godel.protocol.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from godel.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from godel.records.builder import NewRecord, build_batch

pytestmark = [pytest.mark.slow, ours_only]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
PRODUCE_VERSION, INIT_VERSION, QUOTAS_VERSION = 9, 4, 1
OUT_OF_ORDER = 45
VERSIONS = (jars.OLDER, jars.NEWEST)
KAFKAS_SETTINGS = {  # little of everything, and soon
    "offsets.topic.num.partitions": "5",
    "log.cleaner.backoff.ms": "200",
    "log.initial.task.delay.ms": "200",
    "metadata.log.max.record.bytes.between.snapshots": "2000",
}
SETTINGS = {"segment.bytes": "1048576", "retention.ms": "-1", "max.message.bytes": "3000000"}
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "min.compaction.lag.ms": "0",
}


# -- what the world is told -----------------------------------------------------------------------


def everything(bootstrap: str, topic: str, isolation: str = "read_uncommitted") -> dict[int, Any]:
    """Bounds and all records of every partition, as a consumer gets them."""
    seen: dict[int, Any] = {}
    with KafkaPython(bootstrap).consumer(isolation_level=isolation) as consumer:
        places = [TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic)]
        starts, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        for place in places:
            consumer.assign([place])
            consumer.seek(place, starts[place])
            records = []
            deadline = time.monotonic() + 60
            while consumer.position(place) < ends[place]:
                assert time.monotonic() < deadline, (place, consumer.position(place))
                for message in consumer.poll(timeout_ms=500).get(place, []):
                    headers = tuple(map(tuple, message.headers))
                    at = (message.offset, message.timestamp, message.timestamp_type)
                    records.append((*at, message.key, message.value, headers))
            seen[place.partition] = (starts[place], ends[place], records)
    return seen


def ask(port: int, request: Message, version: int, kind: type[Message]) -> Any:
    """One request and its answer, without a client that has its own mind about producers."""
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(
            frame.request_frame(
                request.API_KEY,
                version,
                codec.encode(request, version),
                correlation_id=1,
                client="importer",
                flexible=version >= request.FLEXIBLE_SINCE,
            )
        )
        size_bytes = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        answer = connection.recv(size_bytes, socket.MSG_WAITALL)
    return codec.decode(kind, memoryview(answer)[5:], version)


def produce_sequenced(port: int, topic: str, producer: tuple[int, int], sequence: int) -> Any:
    """Two records of an idempotent producer."""
    records = [NewRecord(b"k", b"sequence %d" % (sequence + number)) for number in range(2)]
    data = build_batch(
        records,
        timestamp_ms=time.time_ns() // 1_000_000,  # Kafka forgets producers by it
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=sequence,
    )
    partition = PartitionProduceData(index=0, records=data)
    request = ProduceRequest(
        acks=-1,
        timeout_ms=30_000,
        topic_data=[TopicProduceData(name=topic, partition_data=[partition])],
    )
    answer = ask(port, request, PRODUCE_VERSION, ProduceResponse)
    return answer.responses[0].partition_responses[0]


def new_producer(port: int) -> tuple[int, int]:
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    answer = ask(port, request, INIT_VERSION, InitProducerIdResponse)
    return answer.producer_id, answer.producer_epoch


class Told(NamedTuple):
    """What Kafka has answered before it went."""

    topics: Mapping[str, dict[int, Any]]
    committed: Mapping[str, dict[int, Any]]
    producer: tuple[int, int]
    last_offset: int
    partitions: Mapping[str, int]


def fill(kafka: BrokerProcess) -> Told:
    """Make a bit of everything that a Kafka has."""
    client = KafkaPython(kafka.bootstrap)
    client.create_topic("orders", 3, configs=SETTINGS)
    for number in range(3):
        for codec_name in CODECS:
            records = [
                Record(
                    b"%d of %s " % (i, codec_name.encode()) * 150,
                    b"%d" % i,
                    (("h", b"1"),),
                    NOON_MS + i,
                )
                for i in range(300)
            ]
            client.produce("orders", records, partition=number, codec=codec_name)
    with client.admin() as admin:
        admin.delete_records({TopicPartition("orders", 1): 7})
    _set_quota(kafka)
    client.commit("readers", "orders", 123, "page 3")
    _fill_compacted(kafka, client)
    _fill_transactions(kafka)
    client.create_topic("sequenced")
    producer = new_producer(kafka.port)
    for number in range(6):
        assert produce_sequenced(kafka.port, "sequenced", producer, 2 * number).error_code == 0
    client.create_topic("deleted")
    client.delete_topic("deleted")
    names = ("orders", "compacted", "transactions", "sequenced")
    return Told(
        {name: everything(kafka.bootstrap, name) for name in names},
        {name: everything(kafka.bootstrap, name, "read_committed") for name in names},
        producer,
        11,
        client.topics(),
    )


def _set_quota(kafka: BrokerProcess) -> None:
    entry = EntryData(
        entity=[EntityData(entity_type="user", entity_name="alice")],
        ops=[OpData(key="producer_byte_rate", value=5e6)],
    )
    request = AlterClientQuotasRequest(entries=[entry])
    answer = ask(kafka.port, request, QUOTAS_VERSION, AlterClientQuotasResponse)
    assert answer.entries[0].error_code == 0


def _quotas(port: int) -> list[tuple[str, str, float]]:
    request = DescribeClientQuotasRequest(components=[])
    answer = ask(port, request, QUOTAS_VERSION, DescribeClientQuotasResponse)
    return [
        (entry.entity[0].entity_name, value.key, value.value)
        for entry in answer.entries
        for value in entry.values
    ]


def _fill_compacted(kafka: BrokerProcess, client: KafkaPython) -> None:
    """Until the cleaner has left gaps between the offsets."""
    client.create_topic("compacted", configs=COMPACTED)
    for number in range(6):
        records = [Record(b"%d" % number, b"%d" % (i % 40)) for i in range(100 + number)]
        client.produce("compacted", records)
        time.sleep(0.25)  # Kafka's own clock decides when a segment is full

    def has_gaps() -> bool:
        client.produce("compacted", [Record(b"again", b"last")])
        _, end, records = everything(kafka.bootstrap, "compacted")[0]
        return len(records) < end - 300

    eventually(has_gaps, "compaction")
    client.alter_config("compacted", "segment.ms", "600000000")


def _fill_transactions(kafka: BrokerProcess) -> None:
    KafkaPython(kafka.bootstrap).create_topic("transactions")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id="mover")
    producer.init_transactions()
    for number in range(6):
        producer.begin_transaction()
        for part in range(3):
            producer.send("transactions", b"%d.%d" % (number, part), partition=0)
        producer.flush()
        producer.abort_transaction() if number % 2 else producer.commit_transaction()
    producer.close()


# -- into Gödel -----------------------------------------------------------------------------------


@pytest.fixture(
    params=[f"{version} {end}" for version in VERSIONS for end in ("stopped", "killed")]
)
def kafka(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[BrokerProcess, str]]:
    version, end = request.param.split()
    kafka = kafka_of(version, tmp_path)
    kafka.start()
    yield kafka, end
    kafka.kill()


def kafka_of(version: str, folder: Path) -> BrokerProcess:
    if not jars.libraries(version).is_dir():
        missing(f"Kafka's jars in {jars.libraries(version)}")
    return BrokerProcess(folder / "kafka", apache_kafka.command(version, KAFKAS_SETTINGS))


def import_into(target: Path, source: Path) -> tuple[int, str]:
    return operate("import", str(source), "--data", str(target))


def operate(*arguments: str) -> tuple[int, str]:
    """An operator's command: its exit status and all that it says."""
    command = (shlex.split(godel_command())[0], *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_kafka_has_written_is_served(kafka: tuple[BrokerProcess, str], tmp_path: Path) -> None:
    process, end = kafka
    told = fill(process)
    target = tmp_path / "godel" / "data"
    target.parent.mkdir()
    status, said = import_into(target, process.data)
    assert status == 2
    assert "in use by Apache Kafka" in said
    assert not target.exists()
    process.stop() if end == "stopped" else process.kill()
    before = contents(process.data)
    assert list((process.data / "__cluster_metadata-0").glob("*.checkpoint"))
    status, said = import_into(target, process.data)
    assert status == 0, said
    assert contents(process.data) == before
    status, said = operate("verify", str(target))
    assert status == 0, said

    godel = BrokerProcess(target.parent)
    godel.start()
    try:
        _check_served(godel, told)
        godel.kill_and_restart()
        _check_served(godel, told)
        _check_producer(godel, told)
    finally:
        godel.kill()


def _check_served(godel: BrokerProcess, told: Told) -> None:
    client = KafkaPython(godel.bootstrap)
    assert client.topics() == dict(told.partitions)
    for name, seen in told.topics.items():
        assert everything(godel.bootstrap, name) == seen, name
        committed = everything(godel.bootstrap, name, "read_committed")
        assert committed == told.committed[name], name
    assert client.committed("readers", "orders") == [(123, "page 3")]
    assert _quotas(godel.port) == [("alice", "producer_byte_rate", 5e6)]
    configs = client.configs("orders")
    assert {key: configs[key] for key in SETTINGS} == SETTINGS
    assert client.configs("compacted")["cleanup.policy"] == "compact"
    assert client.offset_for_time("orders", NOON_MS + 299) == 299


def _check_producer(godel: BrokerProcess, told: Told) -> None:
    """The producer goes on where it was, and no other gets its id."""

    def produce(sequence: int) -> Any:
        return produce_sequenced(godel.port, "sequenced", told.producer, sequence)

    again = produce(10)
    assert (again.error_code, again.base_offset) == (0, told.last_offset - 1)
    assert produce(14).error_code == OUT_OF_ORDER
    following = produce(12)
    assert (following.error_code, following.base_offset) == (0, told.last_offset + 1)
    assert new_producer(godel.port)[0] > told.producer[0]


# -- and back into Apache Kafka -------------------------------------------------------------------

BACK = ("orders", "sequenced")


@pytest.fixture(params=VERSIONS)
def other_kafka(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerProcess]:
    kafka = kafka_of(request.param, tmp_path)
    yield kafka
    kafka.kill()


def test_kafka_serves_what_we_have_written(other_kafka: BrokerProcess, tmp_path: Path) -> None:
    """Folders moved under the log directory of a Kafka that has topics of the same names."""
    godel = BrokerProcess(tmp_path)
    godel.start()
    try:
        told, producer = _fill_ours(godel)
    finally:
        godel.stop()
    other_kafka.start()
    client = KafkaPython(other_kafka.bootstrap)
    client.create_topic("orders", 2, configs=SETTINGS)
    client.create_topic("sequenced", configs={"retention.ms": "-1"})
    eventually(lambda: _has_folders(other_kafka.data, tmp_path / "data"), "the topics' folders")
    other_kafka.stop()
    _move_folders(tmp_path / "data", other_kafka.data)
    other_kafka.start()
    for name in BACK:
        assert everything(other_kafka.bootstrap, name) == told[name], name
    assert client.offset_for_time("orders", NOON_MS + 299) == 299
    again = produce_sequenced(other_kafka.port, "sequenced", producer, 10)
    assert (again.error_code, again.base_offset) == (0, 10)
    following = produce_sequenced(other_kafka.port, "sequenced", producer, 12)
    assert (following.error_code, following.base_offset) == (0, 12)


def _fill_ours(godel: BrokerProcess) -> tuple[dict[str, Any], tuple[int, int]]:
    client = KafkaPython(godel.bootstrap)
    client.create_topic("orders", 2, configs=SETTINGS)
    client.create_topic("sequenced", configs={"retention.ms": "-1"})
    for number in range(2):
        for codec_name in CODECS:
            values = (b"%d of %s " % (i, codec_name.encode()) for i in range(300))
            records = [
                Record(value * 300, b"%d" % i, (("h", b"1"),), NOON_MS + i)
                for i, value in enumerate(values)
            ]
            client.produce("orders", records, partition=number, codec=codec_name)
    with client.admin() as admin:
        admin.delete_records({TopicPartition("orders", 1): 7})
    producer = new_producer(godel.port)
    for number in range(6):
        assert produce_sequenced(godel.port, "sequenced", producer, 2 * number).error_code == 0
    return {name: everything(godel.bootstrap, name) for name in BACK}, producer


def _has_folders(theirs: Path, ours: Path) -> bool:
    """Kafka makes them some time after it has said that there is a topic."""
    names = [folder.name for topic in BACK for folder in ours.glob(f"{topic}-*")]
    return all((theirs / name / "partition.metadata").exists() for name in names)


def _move_folders(ours: Path, theirs: Path) -> None:
    """The topic's id is Kafka's; what our checkpoints say of the logs is told to Kafka, too."""
    for name in ("recovery-point-offset-checkpoint", "log-start-offset-checkpoint"):
        lines = [line for line in _entries(ours / name) if line.split()[0] in BACK]
        kept = [line for line in _entries(theirs / name) if line.split()[0] not in BACK]
        text = "\n".join(["0", str(len(lines) + len(kept)), *lines, *kept])
        (theirs / name).write_text(text + "\n")
    for topic in BACK:
        for folder in ours.glob(f"{topic}-*"):
            target = theirs / folder.name
            metadata = (target / "partition.metadata").read_text()
            shutil.rmtree(target)
            shutil.copytree(folder, target)
            (target / "partition.metadata").write_text(metadata)


def _entries(checkpoint: Path) -> list[str]:
    return checkpoint.read_text().splitlines()[2:] if checkpoint.exists() else []
