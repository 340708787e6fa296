"""A real, small file system that a real client fills: refused, read, emptied, and all is there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from godel.testing import Broker
from tests.wire import Client, batch, values_of

kafka = pytest.importorskip("kafka")

pytestmark = pytest.mark.slow

DISK_BYTES = 24 << 20
FILLER_BYTES = 12 << 20
VALUE_BYTES = 20_000
PATIENCE_MS = 60_000
KAFKA_STORAGE_ERROR = ErrorCode.KAFKA_STORAGE_ERROR


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory of a fixed size; needs root."""
    path = tmp_path / "disk"
    path.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(["mount", *options], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


class Load:
    """A producer that counts on nothing but what was acknowledged."""

    def __init__(self, broker: Broker) -> None:
        self.acknowledged: dict[int, bytes] = {}
        self.sent = 0
        self._producer = kafka.KafkaProducer(
            bootstrap_servers=broker.bootstrap_servers,
            acks="all",
            retries=0,
            enable_idempotence=False,
            api_version=(2, 8),
        )

    def send(self) -> bool:
        """Send one record; False: it was refused."""
        self.sent += 1
        value = b"%d:" % self.sent + bytes(VALUE_BYTES)
        try:
            result = self._producer.send("t", value, partition=0).get(PATIENCE_MS / 1000)
        except kafka.errors.KafkaStorageError:
            return False
        self.acknowledged[result.offset] = value
        return True

    def close(self) -> None:
        self._producer.close()


def read_all(broker: Broker, end_offset: int) -> dict[int, bytes]:
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers, api_version=(2, 8), auto_offset_reset="earliest"
    )
    partition = kafka.TopicPartition("t", 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found: dict[int, bytes] = {}
    while consumer.position(partition) < end_offset:
        for records in consumer.poll(PATIENCE_MS).values():
            found.update((record.offset, record.value) for record in records)
    consumer.close()
    return found


def test_a_disk_fills_up_and_is_emptied_again(disk: Path) -> None:
    filler = disk / "filler"
    filler.write_bytes(bytes(FILLER_BYTES))
    settings = {"write.caching": False, "log.segment.bytes": 1 << 20}
    broker = Broker(settings, data=disk / "data")
    with broker:
        with Client(broker) as client:
            client.create("t")
        load = Load(broker)
        while load.send():
            assert load.sent < 2 * DISK_BYTES // VALUE_BYTES, "the disk does not fill up"
        before = len(load.acknowledged)
        assert before > 100
        assert not load.send()
        assert read_all(broker, before) == load.acknowledged
        filler.unlink()
        for _ in range(before // 2):
            assert load.send(), "there is space again"
        load.close()
        assert read_all(broker, len(load.acknowledged)) == load.acknowledged
    with broker:
        assert read_all(broker, len(load.acknowledged)) == load.acknowledged


def test_deleting_records_makes_room_on_a_disk_with_nothing_left(disk: Path) -> None:
    """Not a byte for a checkpoint or the metadata: the oldest segment goes before anything else."""
    broker = Broker({"write.caching": False}, data=disk / "data")
    with broker, Client(broker) as client:
        client.create("t", configs={"segment.bytes": 1 << 20, "file.delete.delay.ms": 0})
        value = "x" * VALUE_BYTES
        count = 0
        while client.produce("t", batch(value)).error_code == 0:
            count += 1
        fill(disk / "filler")
        with pytest.raises(AssertionError, match="there is no space"):
            client.create("new")
        assert delete_before(client, count) == KAFKA_STORAGE_ERROR
        assert delete_before(client, count) == 0
        assert client.produce("t", batch("after")).error_code == 0
        client.create("new")
        assert client.produce("new", batch("x")).error_code == 0
    with broker, Client(broker) as client:
        assert values_of(client.fetch("t", count)) == ["after"]


def fill(path: Path) -> None:
    """Until there is no space for another byte."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


def delete_before(client: Client, offset: int) -> int:
    partitions = [DeleteRecordsPartition(0, offset)]
    request = DeleteRecordsRequest([DeleteRecordsTopic("t", partitions)], PATIENCE_MS)
    return int(client.send(request).topics[0].partitions[0].error_code)
