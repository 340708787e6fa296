"""DescribeProducers over the wire."""

from __future__ import annotations

from godel.errors import ErrorCode
from godel.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    PartitionResponse,
    ProducerState,
    TopicRequest,
)
from tests.wire import NOW_MS, Client, batch, numbered


def describe(client: Client, topic: str, *partitions: int) -> list[PartitionResponse]:
    request = DescribeProducersRequest([TopicRequest(topic, list(partitions))])
    (answered,) = client.send(request).topics
    assert answered.name == topic
    found: list[PartitionResponse] = answered.partitions
    assert [partition.partition_index for partition in found] == list(partitions)
    return found


def test_producers_and_where_they_are(client: Client) -> None:
    client.create("t", partitions=2)
    client.produce("t", batch("no producer id"))
    client.produce("t", numbered("a", "b", producer_id=7, epoch=2, sequence=0))
    client.produce("t", numbered("c", producer_id=8, sequence=5))
    client.produce("t", numbered("c", producer_id=7, epoch=2, sequence=2))
    first, second = describe(client, "t", 0, 1)
    assert len(first.active_producers) == 2, "each of them once, with its last batch"
    by_id = {producer.producer_id: producer for producer in first.active_producers}
    assert by_id == {
        7: ProducerState(7, 2, 2, NOW_MS, coordinator_epoch=-1, current_txn_start_offset=-1),
        8: ProducerState(8, 0, 5, NOW_MS, coordinator_epoch=-1, current_txn_start_offset=-1),
    }
    assert (second.error_code, second.active_producers) == (0, [])


def test_what_does_not_exist(client: Client) -> None:
    client.create("t")
    unknown, invalid = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_TOPIC_EXCEPTION
    codes = [partition.error_code for partition in describe(client, "t", 0, 1, -1)]
    assert codes == [0, unknown, unknown]
    assert [each.error_code for each in describe(client, "nope", 0)] == [unknown]
    assert [each.error_code for each in describe(client, "a b", 0)] == [invalid]
