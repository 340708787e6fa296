"""ListOffsets, as a client sees it."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from godel.records.builder import NewRecord
from godel.records.compression import Compression
from godel.testing import Broker
from tests.wire import NOW_MS, Client, batch

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, PENDING_UPLOAD = range(-1, -7, -1)
NOTHING = (0, -1, -1)


def found(client: Client, timestamp: int, version: int = 11, **options: int) -> tuple[int, ...]:
    """Error, offset and timestamp for topic `t`."""
    answer = client.list_offset("t", timestamp, version=version, **options)
    return answer.error_code, answer.offset, answer.timestamp


@pytest.mark.parametrize("version", range(1, 12))
def test_both_ends_in_every_version(broker: Broker, client: Client, version: int) -> None:
    client.create("t")
    assert found(client, EARLIEST, version) == (0, 0, -1)
    assert found(client, LATEST, version) == (0, 0, -1)
    for value in "abc":
        client.produce("t", batch(value))
    broker.run(lambda node: node.broker.partition("t", 0).truncate_prefix(1))
    assert found(client, EARLIEST, version) == (0, 1, -1)
    for isolation_level in (0, 1) if version >= 2 else (0,):
        assert found(client, LATEST, version, isolation_level=isolation_level) == (0, 3, -1)
    epoch = client.list_offset("t", LATEST, version=version).leader_epoch
    assert epoch == (0 if version >= 4 else -1)


@pytest.mark.parametrize(
    ("timestamp", "since", "expected"),
    [
        (MAX_TIMESTAMP, 7, (0, 1, NOW_MS + 2)),
        (EARLIEST_LOCAL, 8, (0, 0, -1)),
        (LATEST_TIERED, 9, NOTHING),
        (PENDING_UPLOAD, 11, NOTHING),
        (-7, 99, NOTHING),
        (-(2**63), 99, NOTHING),
    ],
)
def test_special_values_from_their_version_on(
    client: Client, timestamp: int, since: int, expected: tuple[int, ...]
) -> None:
    client.create("t")
    client.produce("t", batch("a", timestamp_ms=NOW_MS))
    client.produce("t", batch("b", timestamp_ms=NOW_MS + 2))
    client.produce("t", batch("c", timestamp_ms=NOW_MS + 1))
    for version in range(1, 12):
        told = found(client, timestamp, version)
        if version < since:
            assert told == (ErrorCode.UNSUPPORTED_VERSION, -1, -1)
        else:
            assert told == expected


def test_an_empty_log_has_no_timestamps(client: Client) -> None:
    client.create("t")
    assert found(client, MAX_TIMESTAMP) == NOTHING
    assert found(client, 0) == NOTHING


@pytest.mark.parametrize("codec", [Compression.NONE, Compression.LZ4])
def test_the_first_record_not_older_also_where_timestamps_go_back(
    client: Client, codec: Compression
) -> None:
    client.create("t")
    times = [[100, 300, 200], [250, 150], [400, 50]]
    for batch_times in times:
        records = [NewRecord(None, b"x", timestamp_ms=time) for time in batch_times]
        client.produce("t", batch(*records, compression=codec))
    flat = [time for batch_times in times for time in batch_times]
    for wanted in range(0, 450, 25):
        first = next(((o, t) for o, t in enumerate(flat) if t >= wanted), None)
        assert found(client, wanted) == (NOTHING if first is None else (0, *first)), wanted
    assert client.list_offset("t", 100).leader_epoch == 0
    assert found(client, MAX_TIMESTAMP) == (0, 5, 400)


def test_the_first_of_equal_largest_timestamps(client: Client) -> None:
    client.create("t")
    for _ in range(3):
        client.produce("t", batch("a", "b"))
    assert found(client, MAX_TIMESTAMP) == (0, 0, NOW_MS)


def test_unknown_partitions_and_epochs_are_said_per_partition(client: Client) -> None:
    client.create("t")
    missing = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
    assert found(client, LATEST, partition=1) == missing
    assert found(client, LATEST, partition=-1) == missing
    assert client.list_offset("u", LATEST).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    unknown = client.list_offset("t", LATEST, current_leader_epoch=1)
    assert unknown.error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
    assert client.list_offset("t", LATEST, current_leader_epoch=0).error_code == 0


def test_a_partition_named_twice_is_refused_for_itself_only(client: Client) -> None:
    client.create("t", partitions=3)

    def topic(*indexes: int) -> ListOffsetsTopic:
        wanted = [ListOffsetsPartition(partition_index=n, timestamp=LATEST) for n in indexes]
        return ListOffsetsTopic(name="t", partitions=wanted)

    request = ListOffsetsRequest(replica_id=-1, topics=[topic(0, 1, 1), topic(2, 0)])
    answers = [
        (partition.partition_index, partition.error_code)
        for answered in client.send(request).topics
        for partition in answered.partitions
    ]
    twice = ErrorCode.INVALID_REQUEST
    assert answers == [(0, twice), (1, twice), (1, twice), (2, 0), (0, twice)]


def test_fifty_thousand_partitions_are_answered_in_a_moment(client: Client) -> None:
    wanted = [ListOffsetsPartition(partition_index=n, timestamp=LATEST) for n in range(50_000)]
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name="t", partitions=wanted)])
    (answered,) = client.send(request).topics
    assert len(answered.partitions) == 50_000
