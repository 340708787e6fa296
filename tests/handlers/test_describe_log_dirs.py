"""DescribeLogDirs over the wire, with sizes of open and of closed logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResult,
)
from godel.storage.faulty_files import FaultyFiles
from godel.testing import Broker
from tests.wire import Client, batch


def describe(
    client: Client, *asked: tuple[str, list[int]], version: int = 5, everything: bool = False
) -> DescribeLogDirsResult:
    topics = None if everything else [DescribableLogDirTopic(*each) for each in asked]
    response = client.send(DescribeLogDirsRequest(topics), version)
    assert response.error_code == 0
    (result,) = response.results
    assert isinstance(result, DescribeLogDirsResult)
    assert not result.is_cordoned
    return result


def sizes(result: DescribeLogDirsResult) -> dict[tuple[str, int], int]:
    for topic in result.topics:
        for partition in topic.partitions:
            assert (partition.offset_lag, partition.is_future_key) == (0, False)
    return {
        (t.name, p.partition_index): p.partition_size for t in result.topics for p in t.partitions
    }


@pytest.mark.parametrize("version", range(1, 6))
def test_sizes_are_those_of_the_batches(client: Client, version: int) -> None:
    client.create("t", partitions=2)
    client.create("u")
    sent = batch("a", "b")
    for _ in range(3):
        client.produce("t", sent)
    result = describe(client, everything=True, version=version)
    assert sizes(result) == {("t", 0): 3 * len(sent), ("t", 1): 0, ("u", 0): 0}
    assert (result.total_bytes, result.usable_bytes) == (-1, -1)


def test_what_does_not_exist_is_left_out(client: Client) -> None:
    client.create("t", partitions=2)
    result = describe(client, ("t", [1, 7, -1, 1]), ("nope", [0]), ("t", [0]))
    assert sizes(result) == {("t", 1): 0, ("t", 0): 0}
    assert sizes(describe(client, ("t", []))) == {}
    assert describe(client).topics == []


def test_a_disk_has_a_size_and_a_log_that_nobody_opened_has_one(tmp_path: Path) -> None:
    broker = Broker(data=tmp_path)
    sent = batch("a", "b")
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", sent)
    with broker, Client(broker) as client:
        result = describe(client, ("t", [0]))
        assert sizes(result) == {("t", 0): len(sent)}
        partition = next(broker.node.broker.partitions())
        assert partition.opened_log is None
        assert result.log_dir == str(tmp_path)
        assert 0 < result.usable_bytes <= result.total_bytes


def test_a_directory_that_cannot_be_read_is_told() -> None:
    files = FaultyFiles()
    broker = Broker(files=files)
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))
    with broker, Client(broker) as client:
        files.remove("memory/t-0/00000000000000000000.log")
        files.make_folder("memory/t-0/00000000000000000000.log")
        assert sizes(describe(client, ("t", [0]))) == {("t", 0): 0}
        files.remove_folder("memory/t-0")
        files.open("memory/t-0").sync()
        result = describe(client, ("t", [0]))
        assert (result.error_code, result.topics) == (ErrorCode.KAFKA_STORAGE_ERROR, [])
        files.remove("memory/t-0")
