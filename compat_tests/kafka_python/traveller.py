"""A consumer of kafka-python's that goes through a test's steps; for 3.x and 2.0."""

from __future__ import annotations

import time
from collections import deque

from kafka import KafkaConsumer, TopicPartition

from compat_tests.client import Position

TIMEOUT_S = 30


class KafkaPythonTraveller:
    def __init__(self, consumer: KafkaConsumer, topic: str, partitions: int) -> None:
        self._consumer, self._topic = consumer, topic
        self._come: deque[Position] = deque()
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)

    def read(self, count: int) -> list[Position]:
        deadline = time.monotonic() + TIMEOUT_S
        while len(self._come) < count:
            assert time.monotonic() < deadline, f"{len(self._come)} of {count} records"
            for batch in self._consumer.poll(timeout_ms=200).values():
                self._come.extend(Position(m.partition, m.offset) for m in batch)
        return [self._come.popleft() for _ in range(count)]

    def seek(self, partition: int, to: int | str) -> None:
        place = TopicPartition(self._topic, partition)
        match to:
            case "beginning":
                self._consumer.seek_to_beginning(place)
            case "end":
                self._consumer.seek_to_end(place)
                self._consumer.position(place)  # settles it before the next record comes
            case _:
                self._consumer.seek(place, to)

    def pause(self, partition: int) -> None:
        self._consumer.pause(TopicPartition(self._topic, partition))

    def resume(self, partition: int) -> None:
        self._consumer.resume(TopicPartition(self._topic, partition))
