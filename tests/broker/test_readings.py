"""What is read off a broker when its metrics are asked for."""

from __future__ import annotations

from godel.protocol.messages.find_coordinator import FindCoordinatorRequest
from godel.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from godel.storage.faulty_files import FaultyFiles, Kind
from godel.testing import Broker
from tests.wire import Client, batch, fetch_request

ONE_SHARD = {"offsets.topic.num.partitions": 1}


def read(broker: Broker) -> dict[str, float]:
    return broker.run(lambda node: node.broker.metrics.snapshot())


def commit(client: Client, group: str, topic: str, offset: int) -> None:
    client.send(FindCoordinatorRequest(coordinator_keys=[group]))
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    request = OffsetCommitRequest(
        group_id=group, topics=[OffsetCommitRequestTopic(name=topic, partitions=[partition])]
    )
    (answer,) = client.send(request).topics
    assert answer.partitions[0].error_code == 0


def is_open(broker: Broker, topic: str) -> bool:
    return topic in {each.topic for each in broker.run(lambda node: node.broker.high_watermarks())}


def test_what_goes_in_and_out_is_counted_by_topic() -> None:
    with Broker() as broker, Client(broker) as client:
        client.create("t", partitions=2)
        client.produce("t", batch("a", "b"))
        client.produce("t", batch("c"), partition=1)
        client.fetch("t")
        found = read(broker)
        both, first = len(batch("a", "b")) + len(batch("c")), len(batch("a", "b"))
        topics = "kafka_server_brokertopicmetrics_"
        assert found[f"{topics}messagesin_total{{topic=t}}"] == 3
        assert found["godel_topic_batches_in_total{topic=t}"] == 2
        assert found[f"{topics}bytesin_total{{topic=t}}"] == both
        assert found[f"{topics}bytesout_total{{topic=t}}"] == first
        assert found["kafka_log_log_size{topic=t,partition=0}"] == first
        assert found["kafka_log_log_logendoffset{topic=t,partition=0}"] == 2
        assert found["kafka_log_log_logstartoffset{topic=t,partition=0}"] == 0
        assert found["kafka_server_replicamanager_partitioncount"] == 2
        assert found["kafka_controller_kafkacontroller_globaltopiccount"] == 1


def test_a_fetch_that_waits_counts_its_bytes_once() -> None:
    with Broker() as broker, Client(broker) as client, Client(broker) as producer:
        client.create("t")
        client.post(fetch_request({("t", 0): 0}, min_bytes=1, max_wait_ms=60_000), 12)
        producer.produce("t", batch("a"))
        client.take_frame()
        name = "kafka_server_brokertopicmetrics_bytesout_total{topic=t}"
        assert read(broker)[name] == len(batch("a"))


def test_the_lag_of_a_group_is_what_it_has_not_committed() -> None:
    with Broker(ONE_SHARD) as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a", "b", "c"))
        commit(client, "g", "t", 1)
        found = read(broker)
        assert found["kafka_consumergroup_current_offset{consumergroup=g,topic=t,partition=0}"] == 1
        assert found["kafka_consumergroup_lag{consumergroup=g,topic=t,partition=0}"] == 2


def test_a_group_that_stands_still_has_lag_after_a_restart() -> None:
    broker = Broker(ONE_SHARD)
    with broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a", "b", "c"))
        commit(client, "g", "t", 0)
    with broker, Client(broker) as client:
        client.send(FindCoordinatorRequest(coordinator_keys=["g"]))
        lag = "kafka_consumergroup_lag{consumergroup=g,topic=t,partition=0}"
        assert read(broker)[lag] == 3
        assert not is_open(broker, "t"), "nobody needed the log for that"


def test_a_log_that_has_to_be_checked_yet_has_no_lag() -> None:
    broker = Broker({**ONE_SHARD, "write.caching": False}, files=FaultyFiles())
    with broker, Client(broker) as client:
        for topic in ("bad", "good"):
            client.create(topic)
            client.produce(topic, batch("a"))
        broker.crash()
    disk = broker._files
    assert isinstance(disk, FaultyFiles)
    disk.fail(lambda operation: operation.kind is Kind.READ and "bad-0/" in operation.path)
    with broker, Client(broker) as client:
        for topic in ("bad", "good"):
            commit(client, "g", topic, 0)
        found = read(broker)
        assert found["kafka_consumergroup_lag{consumergroup=g,topic=good,partition=0}"] == 1
        assert "kafka_consumergroup_lag{consumergroup=g,topic=bad,partition=0}" not in found
        disk.faults = None
        read(broker)
        assert not is_open(broker, "bad")


def test_an_offset_beyond_the_end_is_no_negative_lag_and_a_topic_that_is_gone_none() -> None:
    with Broker(ONE_SHARD) as broker, Client(broker) as client:
        client.create("t")
        commit(client, "g", "t", 7)
        lag = "kafka_consumergroup_lag{consumergroup=g,topic=t,partition=0}"
        assert read(broker)[lag] == 0
        client.delete("t")
        assert lag not in read(broker)
