"""AlterReplicaLogDirs over the wire: there is one directory."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from tests.wire import Client

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
