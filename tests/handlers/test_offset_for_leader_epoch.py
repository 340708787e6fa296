"""OffsetForLeaderEpoch, as a client sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from godel.server.node import Node
from godel.testing import Broker
from tests.wire import Client, batch


def end_of(
    client: Client, epoch: int, *, topic: str = "t", current: int = -1, version: int = 4
) -> tuple[int, int, int]:
    """Error, epoch and end offset."""
    wanted = OffsetForLeaderPartition(0, current_leader_epoch=current, leader_epoch=epoch)
    request = OffsetForLeaderEpochRequest(
        replica_id=-1, topics=[OffsetForLeaderTopic(topic=topic, partitions=[wanted])]
    )
    (answered,) = client.send(request, version).topics
    (end,) = answered.partitions
    assert (answered.topic, end.partition) == (topic, 0)
    return end.error_code, end.leader_epoch, end.end_offset


def lead(epoch: int) -> Callable[[Node], None]:
    def change(node: Node) -> None:
        node.broker.partition("t", 0).leader_epoch = epoch

    return change


@pytest.mark.parametrize("version", [2, 3, 4])
def test_where_each_epoch_ended(broker: Broker, client: Client, version: int) -> None:
    client.create("t")
    for epoch, count in ((2, 3), (4, 2)):
        broker.run(lead(epoch))
        client.produce("t", batch(*"x" * count))
    broker.run(lead(5))
    ends = {epoch: end_of(client, epoch, version=version) for epoch in range(-1, 7)}
    assert ends == {
        -1: (0, -1, -1),
        0: (0, 0, 0),
        1: (0, 1, 0),
        2: (0, 2, 3),
        3: (0, 2, 3),
        4: (0, 4, 5),
        5: (0, 5, 5),
        6: (0, -1, -1),
    }


def test_an_empty_log_of_a_new_epoch_has_lost_nothing(broker: Broker, client: Client) -> None:
    """Told "unknown", a consumer would believe that what it has read was cut away."""
    client.create("t")
    assert end_of(client, 0) == (0, 0, 0)
    broker.run(lead(3))
    assert end_of(client, 0) == (0, 0, 0)
    assert end_of(client, 3) == (0, 3, 0)
    assert end_of(client, 4) == (0, -1, -1)


def test_another_current_epoch_is_fenced(broker: Broker, client: Client) -> None:
    client.create("t")
    broker.run(lead(3))
    assert end_of(client, 3, current=2)[0] == ErrorCode.FENCED_LEADER_EPOCH
    assert end_of(client, 3, current=4)[0] == ErrorCode.UNKNOWN_LEADER_EPOCH
    assert end_of(client, 3, current=3) == (0, 3, 0)


def test_an_unknown_partition(client: Client) -> None:
    missing = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
    assert end_of(client, 0, topic="missing") == missing
