"""One member of the group: python consume.py BOOTSTRAP TOPIC GROUP PARTITIONS

It waits for its share of the partitions, reads them to their end, prints what it found as one
line of JSON, and stays until its standard input is closed, so that nobody has to take over.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from dataset import Delays


class Member:
    def __init__(self, bootstrap: str, group: str, share: int) -> None:
        self.share = share
        self.delays: dict[str, Delays] = {}
        self.last_number: dict[int, int] = {}
        self.finished: set[int] = set()
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )

    def read(self, topic: str) -> None:
        self.consumer.subscribe([topic], on_assign=self.assigned)
        while len(self.finished) < self.share:
            messages = self.consumer.consume(2000, timeout=1.0)
            for message in messages:
                self.take(message)
            if any(message.error() is None for message in messages):
                self.consumer.commit(asynchronous=False)

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.finished.clear()
        consumer.assign(partitions)
        if len(partitions) > self.share:
            consumer.pause(partitions)  # the others have not joined yet
        else:
            consumer.resume(partitions)

    def take(self, message: Message) -> None:
        partition = message.partition()
        if message.error() is not None:
            if message.error().code() == KafkaError._PARTITION_EOF:
                self.finished.add(partition)
            elif not message.error().retriable():
                raise KafkaException(message.error())
            return
        flight = json.loads(message.value())
        if flight["number"] <= self.last_number.get(partition, -1):
            raise SystemExit(f"flight {flight['number']} is doubled or out of order")
        self.last_number[partition] = flight["number"]
        self.delays.setdefault(flight["carrier"], Delays()).count(
            flight["departure_delay_min"], flight["arrival_delay_min"]
        )


def main(bootstrap: str, topic: str, group: str, share: str) -> None:
    member = Member(bootstrap, group, int(share))
    member.read(topic)
    delays = {carrier: asdict(found) for carrier, found in member.delays.items()}
    print(json.dumps({"partitions": sorted(member.finished), "delays": delays}), flush=True)
    sys.stdin.read()
    member.consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
