"""DeleteRecords over the wire, in every version, and after a power cut."""

from __future__ import annotations

import errno

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest
from godel.storage.faulty_files import FaultyFiles
from godel.testing import Broker
from tests.wire import Client, batch, values_of

EARLIEST = -2


def delete(
    client: Client, topic: str, *offsets: tuple[int, int], version: int = 2
) -> list[tuple[int, int, int]]:
    """Of `(partition, offset)` to `(partition, low watermark, error)`."""
    partitions = [DeleteRecordsPartition(*each) for each in offsets]
    request = DeleteRecordsRequest([DeleteRecordsTopic(topic, partitions)], timeout_ms=1_000)
    (answered,) = client.send(request, version).topics
    assert answered.name == topic
    return [(p.partition_index, p.low_watermark, p.error_code) for p in answered.partitions]


@pytest.mark.parametrize("version", range(3))
def test_records_before_the_offset_are_gone(client: Client, version: int) -> None:
    client.create("t", partitions=2)
    for _ in range(2):
        client.produce("t", batch("a", "b", "c"))
    assert delete(client, "t", (0, 4), (1, 0), version=version) == [(0, 4, 0), (1, 0, 0)]
    assert client.list_offset("t", EARLIEST).offset == 4
    assert client.fetch("t", 3).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    data = client.fetch("t", 4)
    assert (data.log_start_offset, values_of(data)[-2:]) == (4, ["b", "c"])
    assert delete(client, "t", (0, 2), version=version) == [(0, 4, 0)]


def test_minus_one_is_everything_that_consumers_see(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a", "b"))
    assert delete(client, "t", (0, -1)) == [(0, 2, 0)]
    assert client.produce("t", batch("c")).base_offset == 2
    assert values_of(client.fetch("t", 2)) == ["c"]


@pytest.mark.parametrize("offset", [3, 1 << 62, -2, -(1 << 62)])
def test_offsets_that_there_are_not(client: Client, offset: int) -> None:
    client.create("t")
    client.produce("t", batch("a", "b"))
    assert delete(client, "t", (0, offset)) == [(0, -1, ErrorCode.OFFSET_OUT_OF_RANGE)]
    assert client.list_offset("t", EARLIEST).offset == 0


def test_what_does_not_exist(client: Client) -> None:
    client.create("t")
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert delete(client, "t", (1, 0), (-1, 0), (0, 0)) == [
        (1, -1, unknown),
        (-1, -1, unknown),
        (0, 0, 0),
    ]
    assert delete(client, "nope", (0, 0)) == [(0, -1, unknown)]


@pytest.mark.parametrize(
    ("policy", "code"),
    [("compact", ErrorCode.POLICY_VIOLATION), ("compact,delete", ErrorCode.NONE)],
)
def test_only_compacted_topics_keep_their_records(
    client: Client, policy: str, code: ErrorCode
) -> None:
    client.create("t", configs={"cleanup.policy": policy})
    ((_, _, error),) = delete(client, "t", (0, 0))
    assert error == code


def test_internal_topics_are_not_a_client_s(client: Client) -> None:
    client.send(FindCoordinatorRequest(coordinator_keys=["g"]))
    invalid, unknown = ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert delete(client, "__consumer_offsets", (0, 0), (999, 0)) == [
        (0, -1, invalid),
        (999, -1, unknown),
    ]


def test_of_a_partition_named_twice_the_last_offset_counts(client: Client) -> None:
    client.create("t")
    client.produce("t", batch("a", "b", "c"))
    assert delete(client, "t", (0, 3), (0, 1)) == [(0, 1, 0)]


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize("write_caching", [True, False])
def test_what_was_deleted_does_not_come_back(is_clean: bool, write_caching: bool) -> None:
    broker = Broker({"write.caching": write_caching}, files=FaultyFiles())
    with broker:
        with Client(broker) as client:
            client.create("t")
            client.produce("t", batch("a", "b", "c"))
            assert delete(client, "t", (0, 2)) == [(0, 2, 0)]
        if is_clean:
            broker.stop()
        else:
            broker.crash()
        broker.start()
        with Client(broker) as client:
            assert client.list_offset("t", EARLIEST).offset == 2
            assert client.fetch("t", 1).error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_a_topic_made_anew_begins_at_zero_after_a_power_cut() -> None:
    broker = Broker({"write.caching": False}, files=FaultyFiles())
    with broker:
        with Client(broker) as client:
            client.create("t")
            client.produce("t", batch("a", "b", "c"))
            delete(client, "t", (0, 2))
            client.delete("t")
            client.create("t")
            client.produce("t", batch("new"))
        broker.crash()
        broker.start()
        with Client(broker) as client:
            assert client.list_offset("t", EARLIEST).offset == 0
            assert values_of(client.fetch("t")) == ["new"]


def test_a_disk_that_fails_is_told(client: Client) -> None:
    files = FaultyFiles()
    with Broker(files=files) as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a", "b", "c"))
        files.fail(lambda op: "log-start-offset" in op.path, error=errno.ENOSPC)
        assert delete(client, "t", (0, 2)) == [(0, -1, ErrorCode.KAFKA_STORAGE_ERROR)]
        files.fail(lambda _op: False)
