"""kafka-python 2.0 in its own environment: `serve BOOTSTRAP` or `member BOOTSTRAP GROUP TOPIC`."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import deque

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from compat_tests.client import Position
from compat_tests.kafka_python_2.client import TIMEOUT_S, KafkaPython2, broker_errors
from compat_tests.serve import serve


def group_consumer(bootstrap: str, group: str, topic: str) -> KafkaConsumer:
    return KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
    )


def member(bootstrap: str, group: str, topic: str) -> None:
    consumer = group_consumer(bootstrap, group, topic)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    while not stopping:
        batches = consumer.poll(timeout_ms=200)
        read = [(m.partition, m.offset) for batch in batches.values() for m in batch]
        if not read:
            continue
        print(json.dumps({"read": read}), flush=True)
        try:
            consumer.commit()
            print(json.dumps({"committed": True}), flush=True)
        except KafkaError as error:
            print(json.dumps({"committed": False}), flush=True)
            print(repr(error), file=sys.stderr, flush=True)
    consumer.close(autocommit=False)


class Reading:
    """The consumer behind remote.Reader."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._topic = ""
        self._consumer: KafkaConsumer | None = None
        self._come: deque[Position] = deque()

    def open(self, group: str, topic: str) -> None:
        self._topic = topic
        self._consumer = group_consumer(self._bootstrap, group, topic)

    def read(self, count: int) -> list[Position]:
        deadline = time.monotonic() + TIMEOUT_S
        with broker_errors():
            while len(self._come) < count:
                assert time.monotonic() < deadline, f"{len(self._come)} of {count} records"
                for batch in self._consumer.poll(timeout_ms=200).values():
                    self._come.extend(Position(m.partition, m.offset) for m in batch)
        return [self._come.popleft() for _ in range(count)]

    def pause(self, partition: int) -> None:
        self._consumer.pause(TopicPartition(self._topic, partition))

    def resume(self, partition: int) -> None:
        self._consumer.resume(TopicPartition(self._topic, partition))

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

    def close(self) -> None:
        self._consumer.close()
        self._come.clear()


def main(command: str, bootstrap: str, *names: str) -> None:
    if command == "member":
        member(bootstrap, *names)
        return
    client, reading = KafkaPython2(bootstrap), Reading(bootstrap)
    more = {
        "groups": client.groups,
        "delete_group": client.delete_group,
        "reader_open": reading.open,
        "reader_read": reading.read,
        "reader_pause": reading.pause,
        "reader_resume": reading.resume,
        "reader_seek": reading.seek,
        "reader_close": reading.close,
    }
    serve(client, more)


if __name__ == "__main__":
    main(*sys.argv[1:])
