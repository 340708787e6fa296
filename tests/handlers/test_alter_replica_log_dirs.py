"""AlterReplicaLogDirs over the wire: what is refused, and that a partition really moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from godel.clock import ManualClock
from godel.errors import ErrorCode
from godel.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from godel.protocol.messages.describe_log_dirs import DescribeLogDirsRequest
from godel.server.node import Node
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.wire import Client, batch, numbered, values_of

HERE = "memory"
NOT_FOUND, UNKNOWN = ErrorCode.LOG_DIR_NOT_FOUND, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

Moves = list[tuple[str, str, list[int]]]


def move(client: Client, moves: Moves, version: int = 2) -> dict[tuple[str, int], int]:
    request = AlterReplicaLogDirsRequest(
        [
            AlterReplicaLogDir(path, [AlterReplicaLogDirTopic(topic, indexes)])
            for path, topic, indexes in moves
        ]
    )
    return {
        (topic.topic_name, partition.partition_index): partition.error_code
        for topic in client.send(request, version).results
        for partition in topic.partitions
    }


@pytest.mark.parametrize("version", [1, 2])
def test_here_and_elsewhere(client: Client, version: int) -> None:
    client.create("t", partitions=2)
    assert move(client, [(HERE, "t", [0, 2, -1]), (HERE, "nope", [0])], version) == {
        ("t", 0): 0,
        ("t", 2): UNKNOWN,
        ("t", -1): UNKNOWN,
        ("nope", 0): UNKNOWN,
    }
    for path in ("/elsewhere", "", HERE + "/", "../" + HERE):
        elsewhere = move(client, [(path, "t", [0, 9])], version)
        assert elsewhere == {("t", 0): NOT_FOUND, ("t", 9): NOT_FOUND}
    assert move(client, [], version) == {}


def test_of_two_places_the_last_counts(client: Client) -> None:
    client.create("t")
    assert move(client, [(HERE, "t", [0]), ("/x", "t", [0])]) == {("t", 0): NOT_FOUND}
    assert move(client, [("/x", "t", [0]), (HERE, "t", [0])]) == {("t", 0): 0}


def test_a_name_that_leaves_no_room_for_the_copys_is_refused(client: Client) -> None:
    assert move(client, [(HERE, "x" * 214, [0])]) == {
        ("x" * 214, 0): ErrorCode.INVALID_TOPIC_EXCEPTION
    }
    assert move(client, [(HERE, "x" * 213, [0])]) == {("x" * 213, 0): UNKNOWN}


# -- moving ----------------------------------------------------------------------------------------


@pytest.fixture
def disks() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def two(disks: FaultyFiles) -> Iterator[Broker]:
    settings = {"log.dirs": "a,b", "write.caching": False, "connections.max.idle.ms": -1}
    with Broker(settings, files=disks, clock=ManualClock(), seed=1) as broker:
        yield broker


def where(client: Client, topic: str = "t") -> dict[int, list[tuple[str, bool]]]:
    """Each partition's directories, and whether it is only on its way there."""
    found: dict[int, list[tuple[str, bool]]] = {}
    for result in client.send(DescribeLogDirsRequest(None)).results:
        for told in result.topics:
            for partition in told.partitions if told.name == topic else ():
                place = (result.log_dir, partition.is_future_key)
                found.setdefault(partition.partition_index, []).append(place)
    return found


def end_moves(broker: Broker) -> None:
    def left(node: Node) -> int:
        return len(node.broker.logs.moves())

    for _turn_of_the_loop in range(1000):
        if not broker.run(left):
            return
    raise AssertionError("the move does not end")


def test_a_partition_moves_with_all_that_is_known_of_it(two: Broker, disks: FaultyFiles) -> None:
    with Client(two) as client:
        client.create("t", partitions=2)
        for number in range(5):
            sent = numbered(str(number), producer_id=7, sequence=number)
            assert client.produce("t", sent).error_code == 0
        assert where(client) == {0: [("a", False)], 1: [("b", False)]}
        assert move(client, [("b", "t", [0])]) == {("t", 0): 0}
        end_moves(two)
        assert where(client) == {0: [("b", False)], 1: [("b", False)]}
        assert (disks.exists("a/t-0"), disks.exists("b/t-0")) == (False, True)
        assert values_of(client.fetch("t")) == ["0", "1", "2", "3", "4"]
        again = client.produce("t", numbered("4", producer_id=7, sequence=4))
        assert (again.error_code, again.base_offset) == (0, 4)
        assert client.produce("t", numbered("5", producer_id=7, sequence=5)).base_offset == 5
    two.stop()
    two.start()
    with Client(two) as client:
        assert values_of(client.fetch("t")) == ["0", "1", "2", "3", "4", "5"]
        assert where(client)[0] == [("b", False)]
        assert client.produce("t", numbered("6", producer_id=7, sequence=6)).base_offset == 6


def test_a_partition_that_has_no_folder_yet_is_made_there(two: Broker, disks: FaultyFiles) -> None:
    with Client(two) as client:
        client.create("t")
        assert where(client) == {0: [("a", False)]}
        assert move(client, [("b", "t", [0])]) == {("t", 0): 0}
        assert where(client) == {0: [("b", False)]}
        assert client.produce("t", batch("a")).error_code == 0
        assert disks.exists("b/t-0")


def test_a_move_that_the_disk_refuses_leaves_the_partition_where_it_is(
    two: Broker, disks: FaultyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(two) as client:
        client.create("t")
        client.produce("t", batch("a"))
        disks.fail(lambda o: o.kind is Kind.APPEND and o.path.startswith("b/t-0."))
        assert move(client, [("b", "t", [0])]) == {("t", 0): 0}
        end_moves(two)
        assert "move_failed" in caplog.text
        assert where(client) == {0: [("a", False)]}
        assert disks.list_folders("b") == []
        assert client.produce("t", batch("b")).error_code == 0
        assert values_of(client.fetch("t")) == ["a", "b"]
        disks.faults = None
        move(client, [("b", "t", [0])])
        end_moves(two)
        assert where(client) == {0: [("b", False)]}


def test_the_copy_is_shown_while_it_follows(two: Broker) -> None:
    def begin(node: Node) -> None:
        node.broker.move("t", 0, "b")

    with Client(two) as client:
        client.create("t")
        client.produce("t", batch("a"))

        def look(node: Node) -> list[tuple[str, int]]:
            node.broker.move("t", 0, "b")
            found = [(move.path, move.offset_lag) for move in node.broker.logs.moves()]
            node.broker.move("t", 0, "a")
            assert not node.broker.logs.moves()
            return found

        assert two.run(look) == [("b", 1)]
        two.run(begin)
        end_moves(two)
        assert where(client) == {0: [("b", False)]}


def test_an_offline_directory_takes_nothing(two: Broker, disks: FaultyFiles) -> None:
    with Client(two) as client:
        client.create("t")
        client.produce("t", batch("a"))
        disks.fail(lambda operation: operation.path.startswith("b"))
        two.advance(61_000)
        for _turn_of_the_loop in range(10):
            two.run(lambda _node: None)
        assert move(client, [("b", "t", [0])]) == {("t", 0): ErrorCode.KAFKA_STORAGE_ERROR}
        assert move(client, [("a", "t", [0])]) == {("t", 0): 0}
