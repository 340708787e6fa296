"""Load the flights into a topic: python load.py BOOTSTRAP TOPIC

The producer is idempotent, so a broker that dies in the middle and comes back gets each flight
exactly once and in order: what was not acknowledged is sent again, and recognised if it had
arrived after all.
"""

from __future__ import annotations

import json
import sys

from confluent_kafka import KafkaError, Message, Producer
from dataset import flights

PROGRESS_EVERY = 25_000


class Load:
    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self.acknowledged = 0
        self.failures: list[str] = []
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,  # implies acks=all
                "compression.type": "lz4",
                "linger.ms": 20,
                # Hold little back, so that the load feels the broker's pace.
                "queue.buffering.max.messages": 20_000,
            }
        )

    def run(self) -> int:
        for flight in flights():
            # Flights of one aircraft share a key, hence a partition, hence keep their order.
            # Those without a tail number have a null key and may land anywhere.
            key = flight.aircraft.encode() if flight.aircraft else None
            self.send(key, json.dumps(flight._asdict()).encode())
        self.producer.flush()
        return self.acknowledged

    def send(self, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                self.producer.produce(self.topic, value, key, on_delivery=self.delivered)
            except BufferError:
                self.producer.poll(0.1)  # the queue is full: let the broker catch up
            else:
                self.producer.poll(0)
                return

    def delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failures.append(error.str())
            return
        self.acknowledged += 1
        if self.acknowledged % PROGRESS_EVERY == 0:
            print(f"{self.acknowledged} flights acknowledged", flush=True)


def main(bootstrap: str, topic: str) -> int:
    load = Load(bootstrap, topic)
    print(f"{load.run()} flights acknowledged", flush=True)
    if load.failures:
        print(f"{len(load.failures)} flights failed: {load.failures[0]}", file=sys.stderr)
    return bool(load.failures)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
