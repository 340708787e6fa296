"""The broker follows the metadata: partitions come, grow, go, and change with their topic."""

from __future__ import annotations

import pytest

from godel.clock import ManualClock
from godel.errors import ApiError, ErrorCode
from godel.protocol.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from godel.protocol.messages.find_coordinator import FindCoordinatorRequest
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from godel.server.node import Node
from godel.storage.faulty_files import FaultyFiles
from godel.storage.log import Log
from godel.testing import Broker
from tests.wire import BROKER, Client, batch, values_of


def ids(broker: Broker) -> list[str]:
    return broker.run(lambda node: [str(partition.id) for partition in node.broker.partitions()])


def segments_of_t(node: Node) -> int:
    log = node.broker.partition("t", 0).log
    assert isinstance(log, Log)
    return len(log.segments)


def refusal(broker: Broker, topic: str | bytes, index: int) -> ErrorCode:
    def look(node: Node) -> ErrorCode:
        try:
            if isinstance(topic, bytes):
                node.broker.partition_by_id(topic, index)
            else:
                node.broker.partition(topic, index)
        except ApiError as refused:
            return refused.code
        return ErrorCode.NONE

    return broker.run(look)


def test_partitions_come_grow_and_go_with_their_topic(broker: Broker, client: Client) -> None:
    topic_id = client.create("t", partitions=2)
    assert ids(broker) == ["t-0", "t-1"]
    client.produce("t", batch("a"), partition=1)
    wish = CreatePartitionsTopic(name="t", count=4, assignments=None)
    (grown,) = client.send(CreatePartitionsRequest(topics=[wish], timeout_ms=5000)).results
    assert grown.error_code == 0
    assert ids(broker) == ["t-0", "t-1", "t-2", "t-3"]
    assert values_of(client.fetch("t", partition=1)) == ["a"]
    assert refusal(broker, topic_id, 3) is ErrorCode.NONE
    assert refusal(broker, topic_id, 4) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    client.delete("t")
    assert ids(broker) == []


def test_what_is_not_there_is_refused(broker: Broker, client: Client) -> None:
    client.create("t")
    assert refusal(broker, "t", 0) is ErrorCode.NONE
    for topic, index in (("t", 1), ("t", -1), ("u", 0)):
        assert refusal(broker, topic, index) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert refusal(broker, bytes(16), 0) is ErrorCode.UNKNOWN_TOPIC_ID


def test_open_logs_follow_their_topics_settings(broker: Broker, client: Client) -> None:
    client.create("t")
    client.produce("t", batch("x" * 700_000))
    client.alter("t", {"segment.bytes": 1 << 20})
    client.produce("t", batch("x" * 700_000))
    segments = broker.run(segments_of_t)
    assert segments == 2
    client.alter("", {"log.segment.bytes": 2 << 20}, resource_type=BROKER)
    client.produce("t", batch("x" * 700_000))
    segments = broker.run(segments_of_t)
    assert segments == 3, "a topic's own setting goes before the broker's"


def test_the_offsets_topic_is_made_once_as_configured() -> None:
    settings = {
        "offsets.topic.num.partitions": 7,
        "offsets.topic.replication.factor": 3,
        "offsets.topic.segment.bytes": 1 << 20,
    }
    with Broker(settings, clock=ManualClock()) as broker, Client(broker) as client:
        for _ in range(2):
            request = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])
            (found,) = client.send(request).coordinators
            assert (found.error_code, found.node_id) == (0, 1)
        (topic,) = client.describe("__consumer_offsets").topics
        assert [len(p.replica_nodes) for p in topic.partitions] == [1] * 7
        config = broker.run(lambda node: node.broker.partition("__consumer_offsets", 0).config)
        assert config.cleanup_policy == ("compact",)
        assert config.segment_bytes == 1 << 20
        assert config.compression_type == "producer"


def test_two_who_need_the_offsets_topic_at_once_both_get_it(broker: Broker) -> None:
    with Client(broker) as first, Client(broker) as second:
        request = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])
        first.post(request)
        second.post(request)
        for client in (first, second):
            assert client.take_frame()
            assert client.send(request).coordinators[0].error_code == 0


def test_deleting_the_offsets_topic_forgets_all_groups(broker: Broker, client: Client) -> None:
    request = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])

    def commit() -> int:
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=5)
        topics = [OffsetCommitRequestTopic(name="t", partitions=[partition])]
        wish = OffsetCommitRequest(
            group_id="g", generation_id_or_member_epoch=-1, member_id="", topics=topics
        )
        (topic,) = client.send(wish).topics
        return int(topic.partitions[0].error_code)

    def committed() -> int:
        wish = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
        (group,) = client.send(wish).groups
        assert group.error_code in (0, ErrorCode.NOT_COORDINATOR)
        return -1 if group.error_code else len(group.topics)

    client.create("t")
    client.send(request)
    assert (commit(), committed()) == (0, 1)
    client.delete("__consumer_offsets")
    assert (commit(), committed()) == (ErrorCode.NOT_COORDINATOR, -1)
    assert client.send(request).coordinators[0].error_code == 0
    assert committed() == 0
    assert (commit(), committed()) == (0, 1)


def test_idle_partitions_open_nothing() -> None:
    disk = FaultyFiles()
    broker = Broker({"write.caching": False}, clock=ManualClock(), files=disk)
    with broker, Client(broker) as client:
        client.create("t", partitions=100)
        client.describe("t")
        broker.advance(60_000)
        for _turn_of_the_loop in range(110):
            broker.run(lambda _node: None)
        assert disk.list_folders("memory") == []
    with broker, Client(broker) as client:
        assert client.produce("t", batch("a"), partition=42).error_code == 0
        assert disk.list_folders("memory") == ["t-42"]
        broker.crash()
    with broker, Client(broker) as client:
        assert client.leader_epoch("t", 41) == 1
        assert broker._files.list_folders("memory") == ["t-42"]


@pytest.mark.parametrize("key", ["write.caching", "log.flush.interval.messages"])
def test_a_brokers_settings_may_change_live(broker: Broker, client: Client, key: str) -> None:
    client.create("t")
    value = {"write.caching": False, "log.flush.interval.messages": 17}[key]
    client.alter("1", {key: value}, resource_type=BROKER)
    config = broker.run(lambda node: node.broker.config)
    topic = broker.run(lambda node: node.broker.partition("t", 0).config)
    if key == "write.caching":
        assert (config.write_caching, topic.write_caching) == (False, False)
    else:
        assert (config.log_flush_interval_messages, topic.flush_messages) == (17, 17)
