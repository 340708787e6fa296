"""The broker is killed (SIGKILL) again and again while idempotent producers load it.

It comes back on the same directory and port, and the producers go on by themselves. At the end
every record is there exactly once, in order, without gaps, at the offset that was acknowledged.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from compat_tests.brokers import Broker
from compat_tests.client import Position
from compat_tests.requirements import need_module
from compat_tests.waiting import eventually

for package in ("confluent_kafka", "kafka"):
    need_module(package)

import confluent_kafka
import kafka
from kafka.producer.future import RecordMetadata

from compat_tests.confluent_kafka.client import ConfluentKafka

PARTITIONS = 4
KILLS = 3
ACKNOWLEDGED_BETWEEN_KILLS = 1500
PATIENCE_S = 120


class Load:
    """What a producer thread is told to send, and what it was told had arrived."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.sent = [0] * PARTITIONS
        self.acknowledged: dict[Position, bytes] = {}
        self.failures: list[str] = []

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Partition and value, round and round: each partition's values count from 0."""
        for partition in itertools.cycle(range(PARTITIONS)):
            if self.stopping.is_set():
                return
            number = self.sent[partition]
            self.sent[partition] = number + 1
            yield partition, b"%08d" % number + b"." * 92


def load_with_confluent_kafka(load: Load, bootstrap: str, topic: str) -> None:
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 1,
            "batch.num.messages": 50,  # many requests in flight when the broker dies
            "queue.buffering.max.messages": 1000,
            "message.timeout.ms": PATIENCE_S * 1000,
        }
    )

    def delivered(
        error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message
    ) -> None:
        if error is not None:
            load.failures.append(error.str())
        else:
            at = Position(message.partition(), message.offset())
            load.acknowledged[at] = message.value()

    for partition, value in load.records():
        while True:
            try:
                producer.produce(topic, value, partition=partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(PATIENCE_S)
    if left:
        load.failures.append(f"{left} records were never answered")


def load_with_kafka_python(load: Load, bootstrap: str, topic: str) -> None:
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=1,
        batch_size=4096,
        max_block_ms=PATIENCE_S * 1000,
        delivery_timeout_ms=PATIENCE_S * 1000,
    )

    unanswered = threading.Semaphore(1000)  # this producer takes whatever it is given

    def send(partition: int, value: bytes) -> None:
        def delivered(at: RecordMetadata) -> None:
            load.acknowledged[Position(at.partition, at.offset)] = value
            unanswered.release()

        def failed(error: Exception) -> None:
            load.failures.append(repr(error))
            unanswered.release()

        sent = producer.send(topic, value, partition=partition)
        sent.add_callback(delivered)
        sent.add_errback(failed)

    with closing(producer):
        for partition, value in load.records():
            unanswered.acquire()
            send(partition, value)
        producer.flush(PATIENCE_S)


Loader = Callable[[Load, str, str], None]


@pytest.mark.parametrize("loader", [load_with_confluent_kafka, load_with_kafka_python])
def test_every_record_survives_the_kills_exactly_once(
    broker: Broker, fresh_name: Callable[[str], str], loader: Loader
) -> None:
    if not broker.owned:
        pytest.skip("the broker is not ours to kill (GODEL_COMPAT_BOOTSTRAP)")
    client, topic, load = ConfluentKafka(broker.bootstrap), fresh_name("topic"), Load()
    client.create_topic(topic, PARTITIONS)
    thread = threading.Thread(target=loader, args=(load, broker.bootstrap, topic), daemon=True)
    thread.start()
    try:
        for _ in range(KILLS):
            wait_for_progress(load, thread)
            broker.kill_and_restart()
        wait_for_progress(load, thread)
    finally:
        load.stopping.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert not load.failures, load.failures[:5]
    check(ConfluentKafka(broker.bootstrap), topic, load)


def wait_for_progress(load: Load, thread: threading.Thread) -> None:
    goal = len(load.acknowledged) + ACKNOWLEDGED_BETWEEN_KILLS

    def progressed() -> bool:
        assert not load.failures, load.failures[:5]
        assert thread.is_alive(), "the producer died"
        return len(load.acknowledged) >= goal

    eventually(progressed, f"{goal} records acknowledged", timeout_s=PATIENCE_S)


def check(client: ConfluentKafka, topic: str, load: Load) -> None:
    assert len(load.acknowledged) == sum(load.sent)
    for partition, sent in enumerate(load.sent):
        assert client.watermarks(topic, partition) == (0, sent)
        values = [r.value for r in client.consume(topic, sent, partition=partition)]
        assert [int(value[:8]) for value in values if value] == list(range(sent))
        for offset, value in enumerate(values):
            assert load.acknowledged[Position(partition, offset)] == value
